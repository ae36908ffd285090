//! What goes into the audit log, how it is shown, and how it is cut.

use conclave_accounts::{AccountState, Alert, CallId, Ceiling, Role};
use conclave_conference::{Actor, Command, Fact, LeaveReason, OperatorId, Refusal};
use conclave_store::{
    AuditPage, Entry, Keep, NewBooking, Period, Store, StoreError, UserEmail, UserRole,
};
use serde_json::json;

use crate::common::{Asked, Bed, Told, act, at, caller, databases, days};

databases!(
    an_operators_deeds_are_told,
    what_befalls_conferences_is_told,
    retention_cuts_the_front,
    nothing_is_chained_that_was_not_done,
    an_entry_of_a_wrong_time_takes_nothing_with_it,
    a_head_that_was_dropped_is_no_alarm,
    what_was_found_about_the_head_can_be_accepted,
);

async fn kinds(store: &impl Store) -> Vec<String> {
    let entries = store.audit(&AuditPage::default()).await.unwrap();
    entries.into_iter().map(|entry| entry.kind).collect()
}

async fn an_operators_deeds_are_told(bed: Bed) {
    let store = bed.serve().await;
    let ada = store.add_account(bed.account("Ada"), at(0)).await.unwrap();
    store
        .set_state(ada.id, AccountState::Suspended, &act(at(1)))
        .await
        .unwrap();
    store
        .set_state(ada.id, AccountState::Active, &act(at(2)))
        .await
        .unwrap();
    store
        .reset_pin(ada.id, Role::Host, bed.host(&bed.fresh()), &act(at(3)))
        .await
        .unwrap();
    let new = NewBooking {
        guest: None,
        invitees: vec![bed.invitee("Grace", &bed.fresh())],
        ..bed.booking(ada.id, &[(60, 90)])
    };
    let booking = store.book(new, &act(at(4))).await.unwrap();
    store
        .withdraw(booking.invitees[0].id, &act(at(5)))
        .await
        .unwrap();
    store.cancel_booking(booking.id, &act(at(6))).await.unwrap();
    store.end_consent(&act(at(7))).await.unwrap();
    let body = json!({ "file": "accounts.csv", "odd": { "person": "no commitment" } });
    store.note("export.made", &body, &act(at(8))).await.unwrap();
    let entries = store.audit(&AuditPage::default()).await.unwrap();
    let told: Vec<_> = entries.iter().map(|entry| entry.kind.as_str()).collect();
    let expected = [
        "account.added",
        "account.suspended",
        "account.resumed",
        "account.pin-reset",
        "booking.made",
        "booking.withdrawn",
        "booking.cancelled",
        "consent.ended",
        "export.made",
    ];
    assert_eq!(told, expected);
    assert!(
        entries
            .iter()
            .all(|entry| entry.body["by"] == "root@bridge1")
    );
    assert!((1..).zip(&entries).all(|(seq, entry)| entry.seq == seq));
    assert_eq!(entries[0].body["owner"], "Ada <ada@example.org>");
    assert_eq!(entries[4].body["title"], "Budget");
    let key = format!("invitee-{}", booking.invitees[0].id.0);
    assert_eq!(entries[4].body[key.as_str()], "Grace <grace@example.net>");
    assert_eq!(entries[8].body["odd"], body["odd"]);
    // What is in the table is no name.
    let bodies = bed.texts("SELECT body FROM audit").await.join("\n");
    for name in ["Ada", "Grace", "Budget", "root@bridge1"] {
        assert!(!bodies.contains(name), "{name}");
    }

    let page = async |page: AuditPage| -> Vec<u64> {
        let entries = store.audit(&page).await.unwrap();
        entries.iter().map(|entry| entry.seq).collect()
    };
    let kind = Some("booking.".to_owned());
    assert_eq!(
        page(AuditPage {
            kind,
            ..AuditPage::default()
        })
        .await,
        [5, 6, 7]
    );
    let period = Period {
        from: Some(at(2)),
        to: Some(at(5)),
    };
    let span = store.audit_span(period).await.unwrap();
    assert_eq!(span, Some((3, 5)));
    let nothing = Period {
        from: Some(at(50)),
        to: None,
    };
    assert_eq!(store.audit_span(nothing).await.unwrap(), None);
    assert_eq!(
        page(AuditPage {
            period,
            ..AuditPage::default()
        })
        .await,
        [3, 4, 5]
    );
    let part = AuditPage {
        after: 3,
        limit: 2,
        ..AuditPage::default()
    };
    assert_eq!(page(part).await, [4, 5]);
    let verified = store.verify_audit().await.unwrap();
    assert_eq!((verified.entries, verified.against_head), (9, true));
}

async fn what_befalls_conferences_is_told(bed: Bed) {
    let store = bed.serve().await;
    let ada = store.add_account(bed.account("Ada"), at(0)).await.unwrap();
    let zoe = UserEmail::parse("zoe@example.org").unwrap();
    let zoe = store.add_user(&zoe, UserRole::Service, &act(at(0))).await;
    let zoe = zoe.unwrap();
    let mut told = Told::new(store).await;
    told.answered(1, 1, caller());
    told.answered(2, 1, caller());
    for mistyped in [true, false] {
        let (call, at) = (CallId(1), at(1));
        told.entries.push(Entry::WrongPin { call, at, mistyped });
    }
    told.started(1, 2, ada.id);
    told.admitted(1, 1, 2, Role::Host);
    let why = Refusal::Locked;
    told.fact(
        1,
        3,
        Fact::Refused {
            call: CallId(2),
            why,
        },
    );
    told.fact(1, 3, Fact::AnotherHost { call: CallId(1) });
    for (by, refused) in [
        (Actor::Caller(CallId(1)), Some(Refusal::NotAllowed)),
        (Actor::Operator(OperatorId::BRIDGE), None),
        (Actor::Operator(OperatorId(zoe.id.0)), None),
    ] {
        let command = Command::Remove { call: CallId(2) };
        told.fact(
            1,
            4,
            Fact::Command {
                by,
                command,
                refused,
            },
        );
    }
    told.fact(
        1,
        4,
        Fact::Named {
            by: Actor::Operator(OperatorId(zoe.id.0)),
            call: CallId(1),
            name: "Ada Byron".to_owned(),
        },
    );
    let ceiling = Ceiling::WrongPins;
    let alert = Alert::CeilingReached { ceiling, at: at(4) };
    told.entries.push(Entry::Alert { alert, at: at(4) });
    told.departed(1, 1, 5);
    told.closed(1, 5);
    told.ended(1, 5, LeaveReason::HungUp);
    told.written(5).await;
    let entries = told.store.audit(&AuditPage::default()).await.unwrap();
    let kinds: Vec<_> = entries.iter().map(|entry| entry.kind.as_str()).collect();
    let expected = [
        "account.added",
        "user.added",
        "pin.mistyped",
        "pin.wrong",
        "conference.started",
        "call.admitted",
        "call.refused",
        "conference.another-host",
        "command.remove",
        "command.remove",
        "command.remove",
        "command.name",
        "alarm.reached",
        "conference.ended",
    ];
    assert_eq!(kinds, expected);
    assert_eq!(entries[6].body["why"], "locked");
    assert_eq!(entries[6].body["number"], "+4930123456");
    assert_eq!(entries[8].body["refused"], "not-allowed");
    assert_eq!(entries[9].body["by"], "operator");
    for by_zoe in &entries[10..12] {
        assert_eq!(by_zoe.body["by"], "zoe@example.org");
    }
    let named = entries[11].body.to_string();
    assert!(!named.contains("Byron"), "no name in the log: {named}");
    assert_eq!(entries[12].body["ceiling"], "wrong-pins");
    let calls = told.store.all_calls().await;
    let holder = calls[0].visit.as_ref().unwrap().holder.as_deref();
    assert_eq!(holder, Some("Ada Byron"));
    let events = told.store.events(1).await.unwrap();
    let by: Vec<_> = events
        .iter()
        .filter(|event| event.what == "command")
        .map(|event| event.operator.as_deref())
        .collect();
    let zoe = Some("zoe@example.org");
    assert_eq!(by, [None, None, zoe, zoe]);
    told.store.verify_audit().await.unwrap();
}

async fn retention_cuts_the_front(bed: Bed) {
    let store = bed.serve().await;
    for day in 0..6 {
        let when = at(0) + days(day);
        store
            .note("export.made", &json!({ "day": day }), &act(when))
            .await
            .unwrap();
    }
    let keep = Keep {
        audit: days(3),
        ..Keep::default()
    };
    let now = at(1) + days(6);
    let swept = store.sweep(&keep, now).await.unwrap();
    assert_eq!((swept.audit, swept.broken, swept.more), (4, None, false));
    assert_eq!(store.audit(&AuditPage::default()).await.unwrap()[0].seq, 5);
    let verified = store.verify_audit().await.unwrap();
    assert_eq!(
        (verified.entries, verified.last.seq, verified.last.anchor),
        (2, 6, 4)
    );
    // All of it: the chain goes on from its anchor.
    let swept = store.sweep(&keep, now + days(30)).await.unwrap();
    assert_eq!(swept.audit, 2);
    assert_eq!(store.verify_audit().await.unwrap().entries, 0);
    assert_eq!(
        bed.count("SELECT COUNT(*) FROM audit_subjects").await,
        0,
        "nobody speaks of them"
    );
    store
        .note("export.made", &json!({}), &act(now + days(30)))
        .await
        .unwrap();
    let verified = store.verify_audit().await.unwrap();
    assert_eq!((verified.entries, verified.last.seq), (1, 7));
    let shown = store.audit(&AuditPage::default()).await.unwrap();
    assert_eq!(shown[0].body["by"], "root@bridge1");
}

/// An appliance whose clock was wrong for a while.
async fn an_entry_of_a_wrong_time_takes_nothing_with_it(bed: Bed) {
    let store = bed.serve().await;
    let note = async |when| {
        let noted = store.note("export.made", &json!({}), &act(when)).await;
        noted.unwrap();
    };
    let now = at(0) + days(1_000);
    note(now - days(40)).await;
    note(now - days(2)).await;
    note(now - days(500)).await;
    note(now - days(1)).await;
    let keep = Keep {
        audit: days(30),
        ..Keep::default()
    };
    let swept = store.sweep(&keep, now).await.unwrap();
    assert_eq!((swept.audit, swept.more), (1, false));
    assert_eq!(store.verify_audit().await.unwrap().entries, 3);
    let shown = store.audit(&AuditPage::default()).await.unwrap();
    let by: Vec<_> = shown.iter().map(|entry| &entry.body["by"]).collect();
    assert_eq!(by, ["root@bridge1"; 3]);
    let swept = store.sweep(&keep, now + days(28)).await.unwrap();
    assert_eq!(swept.audit, 0, "the one of two days ago is not old yet");
    let swept = store.sweep(&keep, now + days(29)).await.unwrap();
    assert_eq!(swept.audit, 2);
    assert_eq!(store.verify_audit().await.unwrap().entries, 1);
}

/// A bridge that wrote nothing while another dropped all that it knew of.
async fn a_head_that_was_dropped_is_no_alarm(bed: Bed) {
    let store = bed.serve().await;
    let note = async |when| {
        let noted = store.note("export.made", &json!({}), &act(when)).await;
        noted.unwrap();
    };
    note(at(0)).await;
    let head = bed.dir.path().join("audit.head");
    let slept = std::fs::read(&head).unwrap();
    note(at(1)).await;
    note(at(0) + days(40)).await;
    let keep = Keep {
        audit: days(30),
        ..Keep::default()
    };
    let swept = store.sweep(&keep, at(0) + days(41)).await.unwrap();
    assert_eq!(swept.audit, 2);
    std::fs::write(&head, slept).unwrap();
    let verified = store.verify_audit().await.unwrap();
    assert_eq!((verified.entries, verified.against_head), (1, false));
    note(at(2) + days(41)).await;
    let verified = store.verify_audit().await.unwrap();
    assert_eq!((verified.entries, verified.against_head), (2, true));
}

async fn what_was_found_about_the_head_can_be_accepted(bed: Bed) {
    let store = bed.serve().await;
    let note = async |when| {
        let noted = store.note("export.made", &json!({}), &act(when)).await;
        noted.unwrap();
    };
    for n in 0..5 {
        note(at(n)).await;
    }
    let accept = async || store.accept_audit(&act(at(10))).await.unwrap();
    assert_eq!(accept().await, None);
    bed.run("DELETE FROM audit WHERE seq > 3").await;
    note(at(6)).await;
    assert!(store.verify_audit().await.is_err());
    let found = accept().await.unwrap();
    assert!(found.starts_with("audit entry 4: "), "{found}");
    assert_eq!(store.verify_audit().await.unwrap().entries, 5);
    // Taken away, it comes again, and that can be read.
    let head = bed.dir.path().join("audit.head");
    std::fs::remove_file(&head).unwrap();
    assert!(!store.verify_audit().await.unwrap().against_head);
    note(at(11)).await;
    assert!(store.verify_audit().await.unwrap().against_head);
    std::fs::write(&head, "nonsense").unwrap();
    let found = accept().await.unwrap();
    assert!(found.contains("damaged"), "{found}");
    let expected = [
        "export.made",
        "export.made",
        "export.made",
        "export.made",
        "audit.accepted",
        "audit.head-new",
        "export.made",
        "audit.accepted",
    ];
    assert_eq!(kinds(&store).await, expected);
    // What is wrong in the log itself stays wrong.
    bed.run("UPDATE audit SET at = at + 1 WHERE seq = 2").await;
    let refused = store.accept_audit(&act(at(12))).await;
    assert!(matches!(refused, Err(StoreError::Broken(broken)) if broken.seq == 2));
}

async fn nothing_is_chained_that_was_not_done(bed: Bed) {
    let store = bed.serve().await;
    let ada = store.add_account(bed.account("Ada"), at(0)).await.unwrap();
    let refused = bed.booking(ada.id, &[(60, 90)]);
    store.book(refused.clone(), &act(at(1))).await.unwrap();
    let again = NewBooking {
        uid: "another".to_owned(),
        ..refused
    };
    store.book(again, &act(at(2))).await.unwrap_err();
    store
        .set_state(
            conclave_accounts::AccountId(9),
            AccountState::Active,
            &act(at(3)),
        )
        .await
        .unwrap_err();
    assert_eq!(kinds(&store).await, ["account.added", "booking.made"]);
    assert_eq!(store.verify_audit().await.unwrap().last.seq, 2);
}
