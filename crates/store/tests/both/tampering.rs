//! Whoever has the database and not the keys changes the audit log: it shows, and it goes on showing.

use conclave_store::{AuditPage, Fault, Keep, SqlStore, Store, StoreError};
use serde_json::json;

use crate::common::{Asked, Bed, act, at, databases, days, minute};

databases!(
    every_change_shows,
    a_log_put_back_shows,
    a_changed_name_is_not_shown,
    a_broken_chain_stops_no_sweep,
);

/// Ten entries in the log.
async fn ten(bed: &Bed) -> SqlStore {
    let store = bed.serve().await;
    for n in 0..10 {
        let body = json!({ "n": n });
        store.note("export.made", &body, &act(at(n))).await.unwrap();
    }
    store.verify_audit().await.unwrap();
    store
}

async fn fault(store: &impl Store) -> (u64, Fault) {
    match store.verify_audit().await {
        Err(StoreError::Broken(broken)) => (broken.seq, broken.fault),
        other => panic!("{other:?}"),
    }
}

async fn every_change_shows(bed: Bed) {
    let store = ten(&bed).await;
    bed.run("CREATE TABLE whole AS SELECT * FROM audit").await;
    let check = async |tampering: &str, seq: u64, expected: Option<Fault>| {
        assert!(bed.run(tampering).await > 0, "{tampering}");
        let found = fault(&store).await;
        assert_eq!(found.0, seq, "{tampering}: {found:?}");
        assert!(
            expected.is_none_or(|fault| fault == found.1),
            "{tampering}: {found:?}"
        );
        bed.run("DELETE FROM audit").await;
        bed.run("INSERT INTO audit SELECT * FROM whole").await;
        store.verify_audit().await.unwrap();
    };
    let changed = Some(Fault::Changed);
    check("UPDATE audit SET at = at + 1 WHERE seq = 4", 4, changed).await;
    check(
        "UPDATE audit SET kind = 'export.mode' WHERE seq = 4",
        4,
        changed,
    )
    .await;
    check(
        "UPDATE audit SET body = '{\"n\":4}' WHERE seq = 4",
        4,
        changed,
    )
    .await;
    check(
        "UPDATE audit SET mac = (SELECT mac FROM whole WHERE seq = 5) WHERE seq = 4",
        4,
        changed,
    )
    .await;
    check(
        "UPDATE audit SET seq = 100 WHERE seq = 4",
        4,
        Some(Fault::Missing { next: 5 }),
    )
    .await;
    check(
        "DELETE FROM audit WHERE seq = 4",
        4,
        Some(Fault::Missing { next: 5 }),
    )
    .await;
    check(
        "DELETE FROM audit WHERE seq <= 4",
        1,
        Some(Fault::FrontCut { first: 5 }),
    )
    .await;
    check(
        "DELETE FROM audit WHERE seq > 7",
        8,
        Some(Fault::TailCut { head: 10 }),
    )
    .await;
    check("DELETE FROM audit", 1, Some(Fault::TailCut { head: 10 })).await;
    let inserted = "INSERT INTO audit SELECT 11, at, kind, body, mac FROM whole WHERE seq = 10";
    check(inserted, 11, changed).await;
    // An anchor that vouches for what is cut can't be made without the key.
    let cut = "INSERT INTO audit_anchor SELECT 1, seq, mac, mac FROM whole WHERE seq = 4";
    assert_eq!(bed.run(cut).await, 1);
    bed.run("DELETE FROM audit WHERE seq <= 4").await;
    assert_eq!(fault(&store).await.1, Fault::AnchorForged);
}

async fn a_log_put_back_shows(bed: Bed) {
    let store = ten(&bed).await;
    bed.run("CREATE TABLE older AS SELECT * FROM audit").await;
    store
        .note("export.made", &json!({}), &act(at(20)))
        .await
        .unwrap();
    bed.run("DELETE FROM audit").await;
    bed.run("INSERT INTO audit SELECT * FROM older").await;
    assert_eq!(fault(&store).await, (11, Fault::TailCut { head: 11 }));
    // The log goes on, and still it shows: neither a new entry nor a restart covers it up.
    for n in 0..3 {
        store
            .note("export.made", &json!({ "after": n }), &act(at(30 + n)))
            .await
            .unwrap();
        assert_eq!(fault(&store).await, (11, Fault::Replaced));
    }
    store.close().await;
    drop(store);
    let store = bed.serve().await;
    store.add_account(bed.account("Ada"), at(40)).await.unwrap();
    assert_eq!(fault(&store).await, (11, Fault::Replaced));
    assert_eq!(store.audit(&AuditPage::default()).await.unwrap().len(), 14);
}

async fn a_changed_name_is_not_shown(bed: Bed) {
    let store = bed.serve().await;
    store.add_account(bed.account("Ada"), at(0)).await.unwrap();
    let shown = async || {
        let entries = store.audit(&AuditPage::default()).await.unwrap();
        entries[0].body["owner"].as_str().unwrap().to_owned()
    };
    assert_eq!(shown().await, "Ada <ada@example.org>");
    bed.run("UPDATE audit_subjects SET value = 'Bob <ada@example.org>' WHERE kind = 'person'")
        .await;
    assert_eq!(shown().await, "(a person that was changed in the database)");
    bed.run("DELETE FROM audit_subjects WHERE kind = 'person'")
        .await;
    assert_eq!(shown().await, "(erased person)");
    store.verify_audit().await.unwrap();
}

async fn a_broken_chain_stops_no_sweep(bed: Bed) {
    let store = ten(&bed).await;
    let ada = store.add_account(bed.account("Ada"), at(10)).await.unwrap();
    store
        .book(bed.booking(ada.id, &[(10, 20)]), &act(at(11)))
        .await
        .unwrap();
    bed.run("UPDATE audit SET body = '{}' WHERE seq = 4").await;
    let keep = Keep {
        audit: days(1),
        ..Keep::default()
    };
    let swept = store.sweep(&keep, minute(30) + days(10)).await.unwrap();
    assert_eq!((swept.pins, swept.audit), (2, 0));
    assert_eq!(swept.broken.map(|broken| broken.seq), Some(4));
    assert_eq!(
        fault(&store).await,
        (4, Fault::Changed),
        "nothing vouches for it"
    );
    assert_eq!(store.audit(&AuditPage::default()).await.unwrap().len(), 12);
}
