//! Tables by their types, many at once.

use lightlike_core::schema::Table;

use super::list::Register;

/// A tuple of up to sixteen tables: `(User, Message)`, or `(User,)`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not name tables",
    note = "give a tuple of tables: `(User, Message)`, or `(User,)` for a single one"
)]
pub trait Tables {
    /// Adds what gives the tables their types.
    #[doc(hidden)]
    fn add_to(list: &mut Vec<Register>);
}

macro_rules! tuples {
    ($($name:ident)*) => {
        impl<$($name: Table),*> Tables for ($($name,)*) {
            fn add_to(list: &mut Vec<Register>) {
                $(list.push(|connection| connection.register::<$name>());)*
            }
        }
    };
}
tuples!(A);
tuples!(A B);
tuples!(A B C);
tuples!(A B C D);
tuples!(A B C D E);
tuples!(A B C D E F);
tuples!(A B C D E F G);
tuples!(A B C D E F G H);
tuples!(A B C D E F G H I);
tuples!(A B C D E F G H I J);
tuples!(A B C D E F G H I J K);
tuples!(A B C D E F G H I J K L);
tuples!(A B C D E F G H I J K L M);
tuples!(A B C D E F G H I J K L M N);
tuples!(A B C D E F G H I J K L M N O);
tuples!(A B C D E F G H I J K L M N O P);
