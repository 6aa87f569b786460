//! Properties of every message.

use bytes::Bytes;
use lightlike_core::limits::Limits;
use lightlike_core::wire::{
    Protocol, WireErrorKind, decode_client, decode_server, encode_client, encode_server,
};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::generators::{client_message, server_message};
use crate::{client, client_bytes, server, server_bytes};

/// Returns `true` if an error is about missing bytes.
fn is_cut_off(kind: WireErrorKind) -> bool {
    matches!(kind, WireErrorKind::UnexpectedEnd { .. } | WireErrorKind::Empty)
}

proptest! {
    #[test]
    fn a_server_message_survives_the_wire(message in server_message()) {
        prop_assert_eq!(server(&server_bytes(&message)), Ok(message));
    }

    #[test]
    fn a_client_message_survives_the_wire(message in client_message()) {
        prop_assert_eq!(client(&client_bytes(&message)), Ok(message));
    }

    #[test]
    fn encoded_len_of_client_message_is_exact(message in client_message()) {
        prop_assert_eq!(message.encoded_len(), client_bytes(&message).len());
    }

    #[test]
    fn several_messages_survive_one_frame_of_v3(
        from_server in vec(server_message(), 1..5),
        from_client in vec(client_message(), 1..5),
    ) {
        let mut body = Vec::new();
        from_server.iter().for_each(|message| encode_server(message, &mut body).unwrap());
        let decoded = decode_server(&Bytes::from(body), Protocol::V3, &Limits::default());
        prop_assert_eq!(decoded.collect::<Result<Vec<_>, _>>(), Ok(from_server));

        let mut body = Vec::new();
        from_client.iter().for_each(|message| encode_client(message, &mut body).unwrap());
        let decoded = decode_client(&Bytes::from(body), Protocol::V3, &Limits::default());
        prop_assert_eq!(decoded.collect::<Result<Vec<_>, _>>(), Ok(from_client));
    }

    #[test]
    fn message_truncated_anywhere_is_an_error(
        from_server in server_message(),
        from_client in client_message(),
    ) {
        let bytes = server_bytes(&from_server);
        for len in 0..bytes.len() {
            let error = server(&bytes[..len]).unwrap_err();
            prop_assert!(is_cut_off(error.kind()), "{} bytes: {}", len, error);
        }
        let bytes = client_bytes(&from_client);
        for len in 0..bytes.len() {
            let error = client(&bytes[..len]).unwrap_err();
            prop_assert!(is_cut_off(error.kind()), "{} bytes: {}", len, error);
        }
    }

    #[test]
    fn what_decodes_encodes_to_the_same_bytes(mut bytes in vec(any::<u8>(), 1..64), tag in 0_u8..10) {
        bytes[0] = tag;
        if let Ok(message) = server(&bytes) {
            prop_assert_eq!(server_bytes(&message), &*bytes);
        }
        if let Ok(message) = client(&bytes) {
            prop_assert_eq!(client_bytes(&message), bytes);
        }
    }
}
