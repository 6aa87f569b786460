use lightlike::Bsatn;

#[derive(Bsatn)]
enum Status {
    Busy { until: bool, why: String },
}

fn main() {}
