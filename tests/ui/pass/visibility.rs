use lightlike::Table;

mod rows {
    use lightlike::{Bsatn, Table, reducer};

    #[derive(Bsatn, Table)]
    #[table(index(name = by_both, btree(columns = [id, team])))]
    pub struct User {
        #[primary_key]
        pub id: u64,
        pub(crate) team: Team,
        secret: Secret,
    }

    #[derive(Bsatn, PartialEq, Eq, PartialOrd, Ord)]
    pub(crate) struct Team(u8);

    #[derive(Bsatn)]
    struct Secret(u8);

    #[reducer]
    pub(crate) fn join(team: Team) -> Result<(), String>;

    pub fn secret() -> &'static str {
        User::SECRET.name()
    }

    pub(crate) fn team() -> Team {
        Team(1)
    }
}

#[derive(Table)]
#[table(row = rows::User)]
pub struct LoggedOut;

fn main() {
    let _ = (rows::User::ID, rows::User::TEAM, rows::User::BY_BOTH, rows::secret());
    let _ = rows::join(rows::team()).team;
}
