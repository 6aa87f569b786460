//! The type that `#[derive(Bsatn)]` is on, checked.

use syn::{Data, DeriveInput, Field, Fields, Generics, Ident, Member, Path, Type};

use super::attrs::{ContainerAttrs, VariantAttrs, field_name, wire_name};
use crate::case;
use crate::ctxt::Ctxt;
use crate::types::check_decodable;

/// A struct or an enum.
pub(super) struct Container<'a> {
    pub(super) ident: &'a Ident,
    /// The Rust name, without `r#`.
    pub(super) name: String,
    pub(super) generics: &'a Generics,
    pub(super) krate: Path,
    pub(super) shape: Shape<'a>,
}

pub(super) enum Shape<'a> {
    Product(Vec<ProductField<'a>>),
    /// A product of one field that is encoded, and described, as that field.
    Transparent(ProductField<'a>),
    Sum(Sum<'a>),
}

pub(super) struct Sum<'a> {
    pub(super) variants: Vec<Variant<'a>>,
    pub(super) other: Option<Other<'a>>,
}

/// The variant that keeps the unknown ones.
pub(super) struct Other<'a> {
    pub(super) ident: &'a Ident,
    /// What it holds.
    pub(super) ty: &'a Type,
}

pub(super) struct ProductField<'a> {
    pub(super) member: Member,
    /// None in tuple structs.
    pub(super) name: Option<String>,
    pub(super) ty: &'a Type,
}

pub(super) struct Variant<'a> {
    pub(super) ident: &'a Ident,
    pub(super) tag: u8,
    pub(super) name: String,
    pub(super) payload: Option<&'a Type>,
}

impl<'a> Container<'a> {
    pub(super) fn parse(cx: &Ctxt, input: &'a DeriveInput) -> Self {
        let attrs = ContainerAttrs::parse(cx, &input.attrs);
        let transparent = attrs.transparent.get().copied();
        let shape = match &input.data {
            Data::Struct(data) => {
                let mut fields = product_fields(cx, &data.fields);
                match (transparent, fields.len()) {
                    (None, _) => Shape::Product(fields),
                    (Some(_), 1) => Shape::Transparent(fields.remove(0)),
                    (Some(at), _) => {
                        cx.error_at(at, "a transparent struct has exactly one field");
                        Shape::Product(fields)
                    }
                }
            }
            Data::Enum(data) => {
                if let Some(at) = transparent {
                    cx.error_at(at, "only a struct of one field is transparent; remove this");
                }
                Shape::Sum(Sum::parse(cx, data))
            }
            Data::Union(data) => {
                cx.error(data.union_token, "BSATN has no unions; use an enum");
                Shape::Product(Vec::new())
            }
        };
        Self {
            ident: &input.ident,
            name: crate::name_of(&input.ident),
            generics: &input.generics,
            krate: crate::facade(attrs.krate.take()),
            shape,
        }
    }
}

fn product_fields<'a>(cx: &Ctxt, fields: &'a Fields) -> Vec<ProductField<'a>> {
    let fields = fields.members().zip(fields).map(|(member, field)| {
        check_decodable(cx, &field.ty);
        ProductField { name: product_field_name(cx, field), member, ty: &field.ty }
    });
    fields.collect()
}

fn product_field_name(cx: &Ctxt, field: &Field) -> Option<String> {
    match &field.ident {
        Some(ident) => Some(field_name(cx, &field.attrs, ident, "bsatn")),
        None => wire_name(cx, &field.attrs, "bsatn").map(|name| name.value()),
    }
}

impl<'a> Sum<'a> {
    fn parse(cx: &Ctxt, data: &'a syn::DataEnum) -> Self {
        let mut sum = Self { variants: Vec::with_capacity(data.variants.len()), other: None };
        for variant in &data.variants {
            let attrs = VariantAttrs::parse(cx, &variant.attrs);
            if let (Some(other), None) = (&sum.other, attrs.other.get()) {
                let message = "variants beside an `other` stand in front of it; move it to the end";
                cx.error(other.ident, message);
            }
            match (attrs.other.get(), u8::try_from(sum.variants.len())) {
                (Some(_), Ok(_)) => sum.other(cx, variant, &attrs),
                (None, Ok(tag)) => sum.variants.push(Variant::parse(cx, variant, tag, attrs)),
                (Some(_), Err(_)) => {
                    cx.error(
                        &variant.ident,
                        "all 256 tags are taken, so none is unknown; remove this",
                    );
                }
                (None, Err(_)) => {
                    let message = "a BSATN tag is one byte; an enum has at most 256 variants";
                    cx.error(&variant.ident, message);
                    // One report is enough for all that follow.
                    break;
                }
            }
        }
        sum
    }

    fn other(&mut self, cx: &Ctxt, variant: &'a syn::Variant, attrs: &VariantAttrs) {
        if self.other.is_some() {
            cx.error(&variant.ident, "an enum has one `other`; remove this");
        }
        if let Some(name) = attrs.name.get() {
            cx.error(name, "an `other` stands for variants of any name; remove this");
        }
        check_discriminant(cx, variant);
        match &variant.fields {
            Fields::Unnamed(fields) if fields.unnamed.len() == 1 => {
                self.other = Some(Other { ident: &variant.ident, ty: &fields.unnamed[0].ty });
            }
            _ => {
                let message = "an `other` holds what it keeps: a `u8`, which is the tag of a variant without \
                    a value, or a `lightlike::bsatn::UnknownVariant`, which is the tag and the value";
                cx.error(variant, message);
            }
        }
    }
}

fn check_discriminant(cx: &Ctxt, variant: &syn::Variant) {
    if let Some((_, value)) = &variant.discriminant {
        cx.error(value, "a BSATN tag is the variant's position; remove the discriminant");
    }
}

impl<'a> Variant<'a> {
    fn parse(cx: &Ctxt, variant: &'a syn::Variant, tag: u8, attrs: VariantAttrs) -> Self {
        check_discriminant(cx, variant);
        let payload = match &variant.fields {
            Fields::Unit => None,
            Fields::Unnamed(fields) if fields.unnamed.len() == 1 => {
                let field = &fields.unnamed[0];
                check_decodable(cx, &field.ty);
                for attr in field.attrs.iter().filter(|attr| attr.path().is_ident("bsatn")) {
                    cx.error(attr, "a variant's value has no name; put this on the variant");
                }
                Some(&field.ty)
            }
            fields if fields.is_empty() => {
                cx.error(fields, "a BSATN variant holds one value or none; remove these");
                None
            }
            fields => {
                cx.error(fields, "a BSATN variant holds one value; move these fields to a struct");
                None
            }
        };
        let name = match attrs.name.take() {
            Some(name) => name.value(),
            None => crate::server_name(cx, &variant.ident, case::camel),
        };
        Self { ident: &variant.ident, tag, name, payload }
    }
}
