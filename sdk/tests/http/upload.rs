//! A module on its way.

use std::sync::{Arc, Mutex};

use lightlike::http::Publish;

use crate::scripted::{Scripted, json};

#[tokio::test]
async fn upload_reports_progress_and_arrives_whole() {
    let server = Scripted::new(vec![json(
        r#"{"Success":{"domain":"chat","database_identity":"c200000000000000000000000000000000000000000000000000000000000000","op":"created"}}"#,
    )]);
    let module: Vec<u8> = (0..200_000_u32).map(|at| at as u8).collect();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let see = Arc::clone(&seen);
    let publish = Publish::default().on_upload(move |sent| see.lock().unwrap().push(sent));
    assert!(format!("{publish:?}").contains("clear: false"));
    server.http().publish("chat", module.clone(), publish).await.unwrap();
    let asked = server.asked();
    assert_eq!(asked.headers["content-length"], "200000");
    assert_eq!(asked.body, module);
    let seen = seen.lock().unwrap();
    assert!(seen.is_sorted() && seen.len() > 2, "{seen:?}");
    assert_eq!(seen.last(), Some(&200_000));
}
