use lightlike::reducer;

#[reducer]
fn set_name<T>(name: T)
where
    T: Clone;

#[reducer]
struct SetAge<T> {
    age: T,
}

fn main() {}
