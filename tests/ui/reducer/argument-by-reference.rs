use lightlike::reducer;

#[reducer]
fn set_name(name: &str, tags: Vec<&'static str>, bytes: &[u8], level: &mut u8);

fn main() {
    let _ = set_name("Ada", vec![], &[1], &mut 2);
}
