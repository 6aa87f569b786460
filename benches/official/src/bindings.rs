//! What the SDK's code generator would write for `../../module`, by hand and as small as the SDK lets it be: the contexts
//! have all the fields of generated ones, since each costs a clone of a handle per message.

#![expect(unreachable_pub, reason = "items of generated code are public")]

use spacetimedb_sdk::__codegen as sdk;
pub(crate) use spacetimedb_sdk::Compression as SdkCompression;

use sdk::__lib::{de::Deserialize, ser::Serialize};
use sdk::__ws::common::BsatnRowList;
use sdk::__ws::v2;
use sdk::{DbContextImpl, Identity, InModule, TableUpdate, Timestamp};

/// The module, as the SDK calls what everything belongs to.
#[derive(Debug)]
pub struct Remote;

macro_rules! of_module {
    ($($ty:ty),* $(,)?) => { $(impl InModule for $ty { type Module = Remote; })* };
}

/// Structs with an encoding.
macro_rules! encoded {
    ($($name:ident { $($field:ident: $ty:ty),* })*) => { $(
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[sats(crate = sdk::__lib)]
        pub struct $name { $(pub $field: $ty),* }
    )* };
}

encoded! {
    Entity { id: u64, owner: Identity, x: f32, y: f32, z: f32, hp: i32, name: String }
    Message { sender: Identity, sent: Timestamp, text: String }
    Tick { id: u64, value: f64 }
    PingArgs { n: u64 }
    MoveEntitiesArgs { from: u64, n: u32 }
    EmitTicksArgs { n: u32 }
}

/// Reducers: a variant each, its name and its parameters.
macro_rules! reducers {
    ($($variant:ident $args:ident $name:ident($($param:ident: $ty:ty),*)),* $(,)?) => {
        #[derive(Debug, Clone)]
        pub enum Reducer { $($variant($args)),* }

        impl Reducer { $(
            pub fn $name($($param: $ty),*) -> Self { Self::$variant($args { $($param),* }) }
        )* }

        impl sdk::Reducer for Reducer {
            fn reducer_name(&self) -> &'static str {
                match self { $(Self::$variant(_) => stringify!($name)),* }
            }

            fn args_bsatn(&self) -> Result<Vec<u8>, sdk::__sats::bsatn::EncodeError> {
                match self { $(Self::$variant(args) => sdk::__sats::bsatn::to_vec(args)),* }
            }
        }
    };
}

reducers! {
    Ping PingArgs ping(n: u64),
    MoveEntities MoveEntitiesArgs move_entities(from: u64, n: u32),
    EmitTicks EmitTicksArgs emit_ticks(n: u32),
}

#[derive(Debug, Default)]
pub struct Update {
    entity: TableUpdate<Entity>,
    message: TableUpdate<Message>,
    tick: TableUpdate<Tick>,
}

impl Update {
    fn of_rows(
        raw: v2::QueryRows,
        entity: fn(BsatnRowList) -> sdk::Result<TableUpdate<Entity>>,
        message: fn(BsatnRowList) -> sdk::Result<TableUpdate<Message>>,
        tick: fn(BsatnRowList) -> sdk::Result<TableUpdate<Tick>>,
    ) -> sdk::Result<Self> {
        let mut update = Self::default();
        for table in raw.tables {
            match &*table.table {
                "entity" => update.entity.append(entity(table.rows)?),
                "message" => update.message.append(message(table.rows)?),
                "tick" => update.tick.append(tick(table.rows)?),
                other => return Err(unknown(other)),
            }
        }
        Ok(update)
    }
}

fn unknown(table: &str) -> sdk::Error {
    sdk::InternalError::unknown_name("table", table, "message").into()
}

impl TryFrom<v2::TransactionUpdate> for Update {
    type Error = sdk::Error;

    fn try_from(raw: v2::TransactionUpdate) -> Result<Self, sdk::Error> {
        let mut update = Self::default();
        for table in sdk::transaction_update_iter_table_updates(raw) {
            match &*table.table_name {
                "entity" => update.entity.append(TableUpdate::parse_table_update(table)?),
                "message" => update.message.append(TableUpdate::parse_table_update(table)?),
                "tick" => update.tick.append(TableUpdate::parse_table_update(table)?),
                other => return Err(unknown(other)),
            }
        }
        Ok(update)
    }
}

impl sdk::DbUpdate for Update {
    fn apply_to_client_cache(&self, cache: &mut sdk::ClientCache<Remote>) -> Applied<'_> {
        let entity = cache.apply_diff_to_table("entity", &self.entity);
        Applied {
            entity: entity.with_updates_by_pk(|row| &row.id),
            message: cache.apply_diff_to_table("message", &self.message),
            tick: self.tick.into_event_diff(),
        }
    }

    fn parse_initial_rows(raw: v2::QueryRows) -> sdk::Result<Self> {
        use sdk::parse_row_list_as_inserts as parse;
        Self::of_rows(raw, |rows| parse(rows), |rows| parse(rows), |rows| parse(rows))
    }

    fn parse_unsubscribe_rows(raw: v2::QueryRows) -> sdk::Result<Self> {
        use sdk::parse_row_list_as_deletes as parse;
        Self::of_rows(raw, |rows| parse(rows), |rows| parse(rows), |rows| parse(rows))
    }
}

pub struct Applied<'r> {
    entity: sdk::TableAppliedDiff<'r, Entity>,
    message: sdk::TableAppliedDiff<'r, Message>,
    tick: sdk::TableAppliedDiff<'r, Tick>,
}

impl<'r> sdk::AppliedDiff<'r> for Applied<'r> {
    fn invoke_row_callbacks(&self, event: &EventContext, callbacks: &mut sdk::DbCallbacks<Remote>) {
        callbacks.invoke_table_row_callbacks("entity", &self.entity, event);
        callbacks.invoke_table_row_callbacks("message", &self.message, event);
        callbacks.invoke_table_row_callbacks("tick", &self.tick, event);
    }
}

/// Handles on tables, made from the connection anew each time, as generated ones are.
pub struct Tables(DbContextImpl<Remote>);

macro_rules! handles {
    ($($name:ident: $row:ty),* $(,)?) => {
        impl Tables { $(
            pub fn $name(&self) -> Handle<$row> { Handle(self.0.get_table(stringify!($name))) }
        )* }
    };
}

handles!(entity: Entity, message: Message, tick: Tick);

pub struct Handle<R: InModule>(sdk::TableHandle<R>);

impl<R: InModule<Module = Remote> + Send + Sync + Clone + 'static> Handle<R> {
    pub fn count(&self) -> u64 {
        self.0.count()
    }

    pub fn iter(&self) -> impl Iterator<Item = R> {
        self.0.iter()
    }

    pub fn on_insert(&self, f: impl FnMut(&EventContext, &R) + Send + 'static) {
        self.0.on_insert(f);
    }

    pub fn on_update(&self, f: impl FnMut(&EventContext, &R, &R) + Send + 'static) {
        self.0.on_update(f);
    }
}

pub struct EntityById(sdk::UniqueConstraintHandle<Entity, u64>);

impl Handle<Entity> {
    pub fn id(&self) -> EntityById {
        EntityById(self.0.get_unique_constraint("id"))
    }
}

impl EntityById {
    pub fn find(&self, id: &u64) -> Option<Entity> {
        self.0.find(id)
    }
}

pub struct Reducers(DbContextImpl<Remote>);

impl Reducers {
    pub fn call_then(
        &self,
        reducer: Reducer,
        then: impl FnOnce(&ReducerEventContext, Result<Result<(), String>, sdk::InternalError>)
        + Send
        + 'static,
    ) -> sdk::Result<()> {
        self.0.invoke_reducer_with_callback(reducer, then)
    }
}

pub struct Procedures(
    #[expect(dead_code, reason = "generated ones have it")] DbContextImpl<Remote>,
);

pub struct DbConnection {
    pub db: Tables,
    pub reducers: Reducers,
    #[expect(dead_code, reason = "generated ones have it")]
    pub procedures: Procedures,
    pub imp: DbContextImpl<Remote>,
}

impl sdk::DbConnection for DbConnection {
    fn new(imp: DbContextImpl<Remote>) -> Self {
        let (db, reducers) = (Tables(imp.clone()), Reducers(imp.clone()));
        Self { db, reducers, procedures: Procedures(imp.clone()), imp }
    }
}

macro_rules! contexts {
    ($($name:ident: $event:ty),* $(,)?) => { $(
        #[expect(dead_code, reason = "generated ones have all of this")]
        pub struct $name {
            pub db: Tables,
            pub reducers: Reducers,
            pub procedures: Procedures,
            pub event: $event,
            imp: DbContextImpl<Remote>,
        }

        impl sdk::AbstractEventContext for $name {
            type Event = $event;

            fn event(&self) -> &$event {
                &self.event
            }

            fn new(imp: DbContextImpl<Remote>, event: $event) -> Self {
                let (db, reducers) = (Tables(imp.clone()), Reducers(imp.clone()));
                Self { db, reducers, procedures: Procedures(imp.clone()), event, imp }
            }
        }

        impl sdk::$name for $name {}
    )* };
}

contexts! {
    EventContext: sdk::Event<Reducer>,
    ReducerEventContext: sdk::ReducerEvent<Reducer>,
    ProcedureEventContext: (),
    SubscriptionEventContext: (),
    ErrorContext: Option<sdk::Error>,
}

#[derive(Clone)]
pub struct Handled(sdk::SubscriptionHandleImpl<Remote>);

impl sdk::SubscriptionHandle for Handled {
    fn new(imp: sdk::SubscriptionHandleImpl<Remote>) -> Self {
        Self(imp)
    }

    fn is_ended(&self) -> bool {
        self.0.is_ended()
    }

    fn is_active(&self) -> bool {
        self.0.is_active()
    }

    fn unsubscribe_then(self, on_end: sdk::OnEndedCallback<Remote>) -> sdk::Result<()> {
        self.0.unsubscribe_then(Some(on_end))
    }

    fn unsubscribe(self) -> sdk::Result<()> {
        self.0.unsubscribe_then(None)
    }
}

of_module! {
    Remote, Entity, Message, Tick, Reducer, Update, Applied<'_>, Tables, Reducers, Procedures, DbConnection, Handled,
    EventContext, ReducerEventContext, ProcedureEventContext, SubscriptionEventContext, ErrorContext,
}

impl sdk::SpacetimeModule for Remote {
    type DbConnection = DbConnection;
    type EventContext = EventContext;
    type ReducerEventContext = ReducerEventContext;
    type ProcedureEventContext = ProcedureEventContext;
    type SubscriptionEventContext = SubscriptionEventContext;
    type ErrorContext = ErrorContext;
    type Reducer = Reducer;
    type DbView = Tables;
    type Reducers = Reducers;
    type Procedures = Procedures;
    type DbUpdate = Update;
    type AppliedDiff<'r> = Applied<'r>;
    type SubscriptionHandle = Handled;
    type QueryBuilder = sdk::QueryBuilder;

    const ALL_TABLE_NAMES: &'static [&'static str] = &["entity", "message", "tick"];

    fn register_tables(cache: &mut sdk::ClientCache<Self>) {
        let entities = cache.get_or_make_table::<Entity>("entity");
        entities.add_unique_constraint::<u64>("id", |row| &row.id);
        cache.get_or_make_table::<Message>("message");
        cache.get_or_make_table::<Tick>("tick");
    }
}
