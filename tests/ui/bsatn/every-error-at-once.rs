use lightlike::Bsatn;

#[derive(Bsatn)]
#[bsatn(krate = ::lightlike)]
enum Status {
    Busy { until: bool, why: String },
    Away(u8, u8),
    #[bsatn(rename = "here")]
    Here,
}

fn main() {
    // The stub impls keep these lines from adding errors of their own.
    fn is_bsatn<T: lightlike::bsatn::Bsatn>() {}
    is_bsatn::<Status>();
    let _ = lightlike::bsatn::from_slice::<Status>(&[]);
}
