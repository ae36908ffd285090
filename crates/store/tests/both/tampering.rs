//! Whoever has the database and not the keys changes the audit log: it shows, and it goes on showing.

use conclave_accounts::{Role, Source};
use conclave_conference::LeaveReason;
use conclave_store::{AuditPage, AuditRow, Fault, Keep, SqlStore, Store, StoreError, SubjectKind};
use serde_json::json;

use crate::common::{Asked, Bed, Told, act, at, databases, days, minute};

databases!(
    every_change_shows,
    a_log_put_back_shows,
    a_cut_is_named_where_it_began,
    a_changed_name_is_not_shown,
    a_name_that_was_taken_is_told_from_one_that_was_erased,
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
        assert_eq!(fault(&store).await, (11, Fault::Cut));
    }
    store.close().await;
    drop(store);
    let store = bed.serve().await;
    store.add_account(bed.account("Ada"), at(40)).await.unwrap();
    assert_eq!(fault(&store).await, (11, Fault::Cut));
    assert_eq!(store.audit(&AuditPage::default()).await.unwrap().len(), 14);
}

async fn a_cut_is_named_where_it_began(bed: Bed) {
    let store = ten(&bed).await;
    bed.run("DELETE FROM audit WHERE seq > 7").await;
    assert_eq!(fault(&store).await, (8, Fault::TailCut { head: 10 }));
    for n in 0..9 {
        store
            .note("export.made", &json!({ "after": n }), &act(at(30 + n)))
            .await
            .unwrap();
        assert_eq!(fault(&store).await, (8, Fault::Cut), "{n} came after it");
    }
    // Cut once more, further in front, and noticed once more.
    bed.run("DELETE FROM audit WHERE seq > 4").await;
    store
        .note("export.made", &json!({}), &act(at(50)))
        .await
        .unwrap();
    assert_eq!(fault(&store).await, (5, Fault::Cut));
    // Retention takes nothing of it away.
    let keep = Keep {
        audit: days(1),
        ..Keep::default()
    };
    let swept = store.sweep(&keep, at(60) + days(10)).await.unwrap();
    assert_eq!((swept.audit, swept.broken.map(|b| b.seq)), (0, Some(5)));
    assert_eq!(fault(&store).await, (5, Fault::Cut));
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
    let changed = Fault::NameChanged(SubjectKind::Person);
    assert_eq!(fault(&store).await, (1, changed));
    bed.run("DELETE FROM audit_subjects WHERE kind = 'person'")
        .await;
    assert_eq!(shown().await, "(erased person)");
    let gone = Fault::NameGone(SubjectKind::Person);
    assert_eq!(fault(&store).await, (1, gone));
}

/// Nobody can take a name out of the log and have it look like an erasure.
async fn a_name_that_was_taken_is_told_from_one_that_was_erased(bed: Bed) {
    let store = bed.serve().await;
    let mut told = Told::new(store).await;
    for (n, name) in [(1, "Ada"), (2, "Bob")] {
        let account = told.store.add_account(bed.account(name), at(0)).await;
        let number = format!("+4930555000{n}");
        told.answered(n, 10, Source::new("berlin", &number));
        told.started(n as u32, 10, account.unwrap().id);
        told.admitted(n as u32, n, 10, Role::Host);
        told.departed(n as u32, n, 20);
        told.closed(n as u32, 20);
        told.ended(n, 20, LeaveReason::HungUp);
    }
    told.written(20).await;
    let store = told.store;
    let erase = async |email: &str, when| {
        let erased = store.erase_person(email, &act(at(when))).await;
        erased.unwrap();
    };
    erase("ada@example.org", 30).await;
    let entries = store.verify_audit().await.unwrap().entries;
    // Her name and her call's number.
    let log = store.audit(&AuditPage::default()).await.unwrap();
    assert_eq!(log.last().unwrap().body["forgotten"], 2);
    let first_of = |kind: &str, field: &str, value: &str| {
        let of = |entry: &&AuditRow| entry.kind == kind && entry.body[field] == value;
        log.iter().find(of).unwrap().seq
    };
    let admitted = first_of("call.admitted", "number", "+49305550002");
    let bob = first_of("account.added", "owner", "Bob <bob@example.org>");
    bed.run("CREATE TABLE kept AS SELECT * FROM audit_subjects")
        .await;
    for (kind, seq) in [(SubjectKind::Number, admitted), (SubjectKind::Person, bob)] {
        let taken = format!("DELETE FROM audit_subjects WHERE kind = '{}'", kind.word());
        assert_eq!(bed.run(&taken).await, 1);
        assert_eq!(fault(&store).await, (seq, Fault::NameGone(kind)));
        bed.run("DELETE FROM audit_subjects").await;
        bed.run("INSERT INTO audit_subjects SELECT * FROM kept")
            .await;
    }
    // The number of a call goes when its time has come, and the log says so.
    let keep = Keep::default();
    let swept = store.sweep(&keep, at(30) + days(90)).await.unwrap();
    assert_eq!((swept.masked, swept.more), (1, false));
    let numbers = "SELECT COUNT(*) FROM audit_subjects WHERE kind = 'number'";
    assert_eq!(bed.count(numbers).await, 0);
    assert_eq!(store.verify_audit().await.unwrap().entries, entries + 1);
    let log = store.audit(&AuditPage::default()).await.unwrap();
    assert_eq!(log.last().unwrap().kind, "numbers.forgotten");
    erase("bob@example.org", 40 + 90 * 86_400).await;
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
