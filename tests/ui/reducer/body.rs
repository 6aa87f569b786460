use lightlike::reducer;

#[reducer]
fn set_name(name: String) -> Result<(), String> {
    Ok(drop(name))
}

fn main() {}
