use lightlike::reducer;

#[reducer]
async fn set_name(name: String);

fn main() {}
