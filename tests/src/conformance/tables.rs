//! The tables that are alike, as lists that are handed to a macro: a row, its reducers, the type of its column.

/// A key without a primary key, and data.
macro_rules! unique_tables {
    ($with:ident $($first:tt)*) => {
        $with! { $($first)*
            UniqueU8 InsertUniqueU8 UpdateUniqueU8 DeleteUniqueU8 u8;
            UniqueU16 InsertUniqueU16 UpdateUniqueU16 DeleteUniqueU16 u16;
            UniqueU32 InsertUniqueU32 UpdateUniqueU32 DeleteUniqueU32 u32;
            UniqueU64 InsertUniqueU64 UpdateUniqueU64 DeleteUniqueU64 u64;
            UniqueU128 InsertUniqueU128 UpdateUniqueU128 DeleteUniqueU128 u128;
            UniqueU256 InsertUniqueU256 UpdateUniqueU256 DeleteUniqueU256 U256;
            UniqueI8 InsertUniqueI8 UpdateUniqueI8 DeleteUniqueI8 i8;
            UniqueI16 InsertUniqueI16 UpdateUniqueI16 DeleteUniqueI16 i16;
            UniqueI32 InsertUniqueI32 UpdateUniqueI32 DeleteUniqueI32 i32;
            UniqueI64 InsertUniqueI64 UpdateUniqueI64 DeleteUniqueI64 i64;
            UniqueI128 InsertUniqueI128 UpdateUniqueI128 DeleteUniqueI128 i128;
            UniqueI256 InsertUniqueI256 UpdateUniqueI256 DeleteUniqueI256 I256;
            UniqueBool InsertUniqueBool UpdateUniqueBool DeleteUniqueBool bool;
            UniqueString InsertUniqueString UpdateUniqueString DeleteUniqueString String;
            UniqueIdentity InsertUniqueIdentity UpdateUniqueIdentity DeleteUniqueIdentity Identity;
            UniqueConnectionId InsertUniqueConnectionId UpdateUniqueConnectionId DeleteUniqueConnectionId ConnectionId;
            UniqueTimestamp InsertUniqueTimestamp UpdateUniqueTimestamp DeleteUniqueTimestamp Timestamp;
            UniqueUuid InsertUniqueUuid UpdateUniqueUuid DeleteUniqueUuid Uuid;
        }
    };
}

/// A primary key, and data.
macro_rules! pk_tables {
    ($with:ident $($first:tt)*) => {
        $with! { $($first)*
            PkU8 InsertPkU8 UpdatePkU8 DeletePkU8 u8;
            PkU16 InsertPkU16 UpdatePkU16 DeletePkU16 u16;
            PkU32 InsertPkU32 UpdatePkU32 DeletePkU32 u32;
            PkU64 InsertPkU64 UpdatePkU64 DeletePkU64 u64;
            PkU128 InsertPkU128 UpdatePkU128 DeletePkU128 u128;
            PkU256 InsertPkU256 UpdatePkU256 DeletePkU256 U256;
            PkI8 InsertPkI8 UpdatePkI8 DeletePkI8 i8;
            PkI16 InsertPkI16 UpdatePkI16 DeletePkI16 i16;
            PkI32 InsertPkI32 UpdatePkI32 DeletePkI32 i32;
            PkI64 InsertPkI64 UpdatePkI64 DeletePkI64 i64;
            PkI128 InsertPkI128 UpdatePkI128 DeletePkI128 i128;
            PkI256 InsertPkI256 UpdatePkI256 DeletePkI256 I256;
            PkBool InsertPkBool UpdatePkBool DeletePkBool bool;
            PkString InsertPkString UpdatePkString DeletePkString String;
            PkIdentity InsertPkIdentity UpdatePkIdentity DeletePkIdentity Identity;
            PkConnectionId InsertPkConnectionId UpdatePkConnectionId DeletePkConnectionId ConnectionId;
            PkTimestamp InsertPkTimestamp UpdatePkTimestamp DeletePkTimestamp Timestamp;
            PkUuid InsertPkUuid UpdatePkUuid DeletePkUuid Uuid;
            PkSimpleEnum InsertPkSimpleEnum UpdatePkSimpleEnum DeletePkSimpleEnum SimpleEnum;
            PkU32Two InsertPkU32Two UpdatePkU32Two DeletePkU32Two u32;
        }
    };
}

/// One column, and no key.
macro_rules! keyless_tables {
    ($with:ident $($first:tt)*) => {
        $with! { $($first)*
            OneU8 InsertOneU8 u8;
            OneU16 InsertOneU16 u16;
            OneU32 InsertOneU32 u32;
            OneU64 InsertOneU64 u64;
            OneU128 InsertOneU128 u128;
            OneU256 InsertOneU256 U256;
            OneI8 InsertOneI8 i8;
            OneI16 InsertOneI16 i16;
            OneI32 InsertOneI32 i32;
            OneI64 InsertOneI64 i64;
            OneI128 InsertOneI128 i128;
            OneI256 InsertOneI256 I256;
            OneBool InsertOneBool bool;
            OneF32 InsertOneF32 f32;
            OneF64 InsertOneF64 f64;
            OneString InsertOneString String;
            OneIdentity InsertOneIdentity Identity;
            OneConnectionId InsertOneConnectionId ConnectionId;
            OneTimestamp InsertOneTimestamp Timestamp;
            OneTimeDuration InsertOneTimeDuration TimeDuration;
            OneUuid InsertOneUuid Uuid;
            OneScheduleAt InsertOneScheduleAt ScheduleAt;
            OneNestedStruct InsertOneNestedStruct NestedStruct;
            OneSimpleEnum InsertOneSimpleEnum SimpleEnum;
            OneEnumWithPayload InsertOneEnumWithPayload EnumWithPayload;
            OneUnitStruct InsertOneUnitStruct UnitStruct;
            OneByteStruct InsertOneByteStruct ByteStruct;
            OneEveryPrimitiveStruct InsertOneEveryPrimitiveStruct EveryPrimitiveStruct;
            OneEveryVecStruct InsertOneEveryVecStruct EveryVecStruct;

            VecU8 InsertVecU8 Vec<u8>;
            VecU16 InsertVecU16 Vec<u16>;
            VecU32 InsertVecU32 Vec<u32>;
            VecU64 InsertVecU64 Vec<u64>;
            VecU128 InsertVecU128 Vec<u128>;
            VecU256 InsertVecU256 Vec<U256>;
            VecI8 InsertVecI8 Vec<i8>;
            VecI16 InsertVecI16 Vec<i16>;
            VecI32 InsertVecI32 Vec<i32>;
            VecI64 InsertVecI64 Vec<i64>;
            VecI128 InsertVecI128 Vec<i128>;
            VecI256 InsertVecI256 Vec<I256>;
            VecBool InsertVecBool Vec<bool>;
            VecF32 InsertVecF32 Vec<f32>;
            VecF64 InsertVecF64 Vec<f64>;
            VecString InsertVecString Vec<String>;
            VecIdentity InsertVecIdentity Vec<Identity>;
            VecConnectionId InsertVecConnectionId Vec<ConnectionId>;
            VecTimestamp InsertVecTimestamp Vec<Timestamp>;
            VecTimeDuration InsertVecTimeDuration Vec<TimeDuration>;
            VecUuid InsertVecUuid Vec<Uuid>;
            VecSimpleEnum InsertVecSimpleEnum Vec<SimpleEnum>;
            VecEnumWithPayload InsertVecEnumWithPayload Vec<EnumWithPayload>;
            VecUnitStruct InsertVecUnitStruct Vec<UnitStruct>;
            VecByteStruct InsertVecByteStruct Vec<ByteStruct>;
            VecEveryPrimitiveStruct InsertVecEveryPrimitiveStruct Vec<EveryPrimitiveStruct>;

            OptionI32 InsertOptionI32 Option<i32>;
            OptionString InsertOptionString Option<String>;
            OptionIdentity InsertOptionIdentity Option<Identity>;
            OptionConnectionId InsertOptionConnectionId Option<ConnectionId>;
            OptionTimestamp InsertOptionTimestamp Option<Timestamp>;
            OptionUuid InsertOptionUuid Option<Uuid>;
            OptionSimpleEnum InsertOptionSimpleEnum Option<SimpleEnum>;
            OptionEveryPrimitiveStruct InsertOptionEveryPrimitiveStruct Option<EveryPrimitiveStruct>;
            OptionVecOptionI32 InsertOptionVecOptionI32 Option<Vec<Option<i32>>>;
            OptionOptionString InsertOptionOptionString Option<Option<String>>;

            ResultI32String InsertResultI32String Result<i32, String>;
            ResultStringI32 InsertResultStringI32 Result<String, i32>;
            ResultVecI32String InsertResultVecI32String Result<Vec<i32>, String>;
            ResultSimpleEnumI32 InsertResultSimpleEnumI32 Result<SimpleEnum, i32>;
            ResultEveryPrimitiveStructString InsertResultEveryPrimitiveStructString Result<EveryPrimitiveStruct, String>;
        }
    };
}
