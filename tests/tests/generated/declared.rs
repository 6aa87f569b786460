//! Generated declarations match the server's schema.

use lightlike::connection::SchemaCheck;
use lightlike_tests::conformance::on_both_servers;

use crate::conformance::*;

#[tokio::test]
async fn generated_declarations_are_those_of_the_module() {
    on_both_servers(async |target| {
        let strict = target.builder().schema_check(SchemaCheck::Strict);
        strict
            .table::<PkString>()
            .table::<OneEveryPrimitiveStruct>()
            .table::<Score>()
            .table::<TestEvent>()
            .table::<Player1>()
            .table::<MyPlayer>()
            .table::<PlayerAndLevel>()
            .table::<AllViewPkPlayers>()
            .reducer::<BanPlayer1>()
            .reducer::<InsertOneEveryPrimitiveStruct>()
            .procedure::<ReturnEnumB>()
            .procedure::<CallReturnStruct>()
            .connect()
            .await
            .unwrap();
    })
    .await;
}
