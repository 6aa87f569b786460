use lightlike::reducer;

use lightlike::schema::Reducer;

#[reducer(idempotend)]
async fn set_name(&self, name: &str, (x, y): (u8, u8)) -> Result<(), &'static str> {
    Ok(())
}

fn main() {
    // The stub keeps these lines from adding errors of their own.
    fn is_reducer<T: Reducer>(_: T) {}
    is_reducer(set_name("Ada"));
    let _ = <SetName as Reducer>::DEF;
}
