//! What reducers return and what they refuse with, in types of their own. Only the embedded server can show it: the
//! engine (`spacetimedb-core` 2.14.0) makes text of whatever bytes a module refuses with, and drops what one written in Rust
//! returns. A procedure's result is of the module's own types there too: see `conformance/procedures.rs`.

use lightlike::prelude::*;
use lightlike_testkit::Server;
use lightlike_tests::conformance::on_both_servers;

#[derive(Bsatn, Clone, Debug, PartialEq)]
enum Refusal {
    TooDear(u32),
    SoldOut,
}

#[derive(Bsatn, Clone, Debug, PartialEq)]
struct Receipt {
    item: String,
    change: u32,
}

#[reducer]
fn buy(item: String, purse: u32) -> Result<Receipt, Refusal>;

async fn shop() -> (Server, Client) {
    let server = Server::builder()
        .reducer(|_, Buy { item, purse }| match (&*item, purse) {
            ("moon", _) => Err(Refusal::SoldOut),
            (_, 10..) => Ok(Receipt { item, change: purse - 10 }),
            _ => Err(Refusal::TooDear(10 - purse)),
        })
        .start()
        .await;
    let db = Client::builder(server.uri(), server.database()).connect().await.unwrap();
    (server, db)
}

#[tokio::test]
async fn call_returns_and_rejects_in_declared_types() {
    let (_server, db) = shop().await;
    let receipt = db.call(buy("lamp".into(), 12)).await.unwrap();
    assert_eq!(receipt, Receipt { item: "lamp".into(), change: 2 });
    match db.call(buy("lamp".into(), 3)).await {
        Err(CallError::Rejected(why)) => assert_eq!(why, Refusal::TooDear(7)),
        outcome => panic!("{outcome:?}"),
    }
    match db.call(buy("moon".into(), 3)).await {
        Err(CallError::Rejected(why)) => assert_eq!(why, Refusal::SoldOut),
        outcome => panic!("{outcome:?}"),
    }
}

#[tokio::test]
async fn listeners_and_failure_hook_are_typed() {
    let (_server, db) = shop().await;
    let (heard, mut hears) = tokio::sync::mpsc::unbounded_channel();
    let refused = heard.clone();
    db.on_call::<Buy>(move |_, args, outcome| {
        if let Ok(receipt) = outcome {
            heard.send(format!("{} for {}", receipt.item, args.purse)).unwrap();
        }
    });
    db.on_unhandled_rejection(move |_, failure| match failure.call.outcome::<Buy>() {
        Some(Err(CallError::Rejected(why))) => refused.send(format!("{why:?}")).unwrap(),
        outcome => panic!("{outcome:?}"),
    });
    db.call(buy("lamp".into(), 12)).forget();
    db.call(buy("moon".into(), 12)).forget();
    assert_eq!(hears.recv().await.unwrap(), "lamp for 12");
    assert_eq!(hears.recv().await.unwrap(), "SoldOut");
}

/// The declared types are not those of the server.
#[tokio::test]
async fn undecodable_answer_says_if_call_committed() {
    #[reducer(name = "buy", ok = Vec<u64>, error = u64)]
    struct BuyOtherwise {
        item: String,
        purse: u32,
    }

    let (_server, db) = shop().await;
    let call = |purse| db.call(BuyOtherwise { item: "lamp".into(), purse });
    let error = call(12).await.unwrap_err();
    assert!(matches!(error, CallError::Undecodable { committed: true, .. }), "{error:?}");
    let error = call(3).await.unwrap_err();
    assert!(matches!(error, CallError::Undecodable { committed: false, .. }), "{error:?}");
}

/// A module's error is text on the real server, whatever type is declared for it here.
#[tokio::test]
async fn text_refusal_for_typed_error_blames_declaration() {
    #[reducer(name = "fail_with_string", error = Refusal)]
    struct FailOtherwise {
        message: String,
    }

    on_both_servers(async |target| {
        let db = target.connect().await;
        let error = db.call(FailOtherwise { message: "no".into() }).await.unwrap_err();
        let CallError::Undecodable { committed: false, source } = error else {
            panic!("{error:?}")
        };
        assert!(source.to_string().contains("Refusal"), "{source}");
    })
    .await;
}
