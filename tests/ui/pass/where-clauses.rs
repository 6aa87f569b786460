use lightlike::Bsatn;

#[derive(Bsatn)]
struct Defaulted<T = u8, const N: usize = 2>
where
    T: Copy,
{
    values: [T; N],
}

#[derive(Bsatn)]
enum Either<'a, A, B: 'a> {
    A(A),
    B(Box<B>),
    Text(&'a str),
    Neither,
}

#[derive(Bsatn)]
#[bsatn(transparent)]
struct Wrapped<'a, 'b: 'a, T>((&'a str, &'b [u8], Vec<T>));

fn main() {
    fn owned<T: lightlike::bsatn::Bsatn + lightlike::schema::Sats>() {}
    fn borrowed<'a, T: lightlike::bsatn::Decode<'a>>(_: &'a [u8]) {}
    owned::<Defaulted>();
    owned::<Defaulted<u64, 9>>();
    borrowed::<Either<'_, u8, Wrapped<'_, '_, bool>>>(&[]);
}
