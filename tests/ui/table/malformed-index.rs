use lightlike::{Bsatn, Table};

#[derive(Bsatn, Table)]
#[table(index)]
#[table(index(name = a, btree))]
#[table(index(name = b, btree(columns = x)))]
#[table(index(name = c, btree(fields = [x, y])))]
#[table(index(name = d, tree(columns = [x, y])))]
#[table(index(accessor = e, btree(columns = [x, y])))]
struct Point {
    #[index]
    x: i32,
    #[index(tree)]
    y: i32,
    #[index(btree, hash)]
    z: i32,
    #[index(btree(columns = [x, y]))]
    w: i32,
}

fn main() {}
