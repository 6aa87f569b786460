//! Tables by their types, many at once.

use lightlike_core::schema::Table;

use super::list::{IntoQueries, QueryList};
use super::typed::TableQueries;

/// A tuple of up to sixteen tables: `(User, Message)`, or `(User,)`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not name tables",
    note = "give a tuple of tables: `(User, Message)`, or `(User,)` for a single one"
)]
pub trait Tables {
    /// Adds all rows of the tables to a set.
    #[doc(hidden)]
    fn add_to(set: &mut QueryList);
}

fn add<T: Table>(set: &mut QueryList) {
    if T::ARGUMENTS.is_empty() {
        T::all().add_to(set);
    } else {
        // A view has no rows before it has its arguments.
        set.register::<T>();
    }
}

macro_rules! tuples {
    ($($name:ident)*) => {
        impl<$($name: Table),*> Tables for ($($name,)*) {
            fn add_to(set: &mut QueryList) {
                $(add::<$name>(set);)*
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
