use lightlike::procedure;

struct ProcedureContext;

#[procedure]
fn ping(ctx: &mut ProcedureContext, loudly: bool) -> u8;

fn main() {}
