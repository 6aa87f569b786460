use lightlike::{Bsatn, Table, reducer};

macro_rules! tables {
    ($($(#[$attr:meta])* $name:ident { $($field:ident: $ty:ty),* $(,)? })*) => {$(
        #[derive(Bsatn, Table, Debug)]
        $(#[$attr])*
        pub struct $name {
            #[primary_key]
            pub id: u64,
            $(pub $field: $ty,)*
        }
    )*};
}

tables! {
    #[table(name = "person")]
    Person { name: Option<String>, scores: Vec<f32> }
    Place { r#where: [f32; 2] }
}

macro_rules! reducers {
    ($($name:ident($($arg:ident: $ty:ty),*) -> $out:ty;)*) => {$(
        #[reducer]
        fn $name($($arg: $ty),*) -> $out;
    )*};
}

reducers! {
    rename(id: u64, name: Option<String>) -> Result<u8, (u8, String)>;
    stop() -> u64;
}

macro_rules! sums {
    ($name:ident: $($variant:ident($ty:ty))*) => {
        #[derive(Bsatn)]
        pub enum $name { $($variant($ty)),* }
    };
}
sums!(Any: Bytes(Vec<u8>) Number(f64));

fn main() {
    use lightlike::schema::Reducer;

    fn outcome<R: Reducer<Ok = u8, Error = (u8, String)>>(_: R) {}
    outcome(rename(1, None));
    let _ = stop();
    let _ = (Person::NAME, Place::WHERE);
    let _ = [Any::Bytes(vec![]), Any::Number(1.0)];
}
