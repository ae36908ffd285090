//! One person's data, handed out and erased.

use conclave_accounts::{AccountState, Owner, Role, Source, Title};
use conclave_conference::LeaveReason;
use conclave_store::{
    AccountChange, AuditPage, BookingChange, NewAccount, NewBooking, Store, StoreError,
};

use crate::common::{Asked, Bed, Told, act, at, databases};

databases!(
    nothing_is_left_of_an_erased_person,
    nobody_is_erased_twice,
    a_number_that_is_masked_already_is_erased_from_the_log,
    whoever_had_another_address_is_erased_under_it_too,
);

async fn nothing_is_left_of_an_erased_person(bed: Bed) {
    let store = bed.serve().await;
    let ada = NewAccount {
        owner: Owner::new("Xantippe Quux", "Xantippe@quux.example").unwrap(),
        department: Some("Quantum".to_owned()),
        cost_code: Some("Q-4711".to_owned()),
        ..bed.account("Ada")
    };
    let ada = store.add_account(ada, at(0)).await.unwrap();
    let bob = store.add_account(bed.account("Bob"), at(0)).await.unwrap();
    // What she was called before, and what her booking was called before.
    let change = AccountChange {
        owner: Some(Owner::new("Xantippe Zyzzy", "xantippe@quux.example").unwrap()),
        ..AccountChange::default()
    };
    store
        .change_account(ada.id, &change, &act(at(1)))
        .await
        .unwrap();
    let hers = NewBooking {
        title: Title::new("Zeppelin").unwrap(),
        ..bed.booking(ada.id, &[(60, 90)])
    };
    let hers = store.book(hers, &act(at(2))).await.unwrap();
    let change = BookingChange {
        title: Some(Title::new("Zirkonia").unwrap()),
        ..BookingChange::default()
    };
    store
        .change_booking(hers.id, &change, &act(at(3)))
        .await
        .unwrap();
    let pins = [bed.fresh(), bed.fresh()];
    let mut invitees = vec![
        bed.invitee("Xaver", &pins[0]),
        bed.invitee("Grace", &pins[1]),
    ];
    invitees[0].name = "Xantippe Q.".to_owned();
    invitees[0].email = "XANTIPPE@quux.example".to_owned();
    let bobs = NewBooking {
        title: Title::new("Budget").unwrap(),
        guest: None,
        invitees,
        ..bed.booking(bob.id, &[(60, 90)])
    };
    let bobs = store.book(bobs, &act(at(4))).await.unwrap();
    let lease = chrono::TimeDelta::seconds(60);
    for letter in store.due_letters(9, lease, at(5)).await.unwrap() {
        let why = match letter.invitee {
            Some(id) if id == bobs.invitees[1].id => "451 later",
            _ => "550 <xantippe@quux.example>: unknown",
        };
        let again = Some(at(100));
        store.letter_failed(letter.id, why, again).await.unwrap();
    }
    let mut told = Told::new(store).await;
    for (n, number) in [
        (1, "+49305550001"),
        (2, "+49305550002"),
        (3, "+49305550003"),
    ] {
        told.answered(n, 10, Source::new("berlin", number));
    }
    told.started(1, 10, ada.id);
    told.admitted(1, 1, 10, Role::Host);
    told.booked(2, 10, bob.id, bobs.id);
    let [her, grace] = [0, 1].map(|n: usize| (bobs.invitees[n].id, &*bobs.invitees[n].name));
    told.invited(2, 2, 10, Role::Guest, Some(her));
    told.invited(2, 3, 10, Role::Guest, Some(grace));
    for n in [1, 2, 3] {
        told.ended(n, 20, LeaveReason::HungUp);
    }
    told.written(20).await;
    let store = told.store;

    let person = store.export_person("xantippe@QUUX.example").await.unwrap();
    assert_eq!((person.accounts.len(), person.bookings.len()), (1, 2));
    let numbers: Vec<_> = person
        .calls
        .iter()
        .map(|call| call.number.as_deref())
        .collect();
    assert_eq!(numbers, [Some("+49305550001"), Some("+49305550002")]);
    let invited: Vec<_> = person.bookings[1].invitees.iter().map(|i| i.id).collect();
    assert_eq!(invited, [her.0], "nothing of the other invitees");

    let known: Vec<_> = person.known_numbers.iter().map(|k| &*k.number).collect();
    assert_eq!(
        (known, person.known_numbers[0].account),
        (vec!["+49305550001"], ada.id)
    );
    let entries: Vec<_> = person.audit.iter().map(|entry| &*entry.kind).collect();
    assert_eq!(
        entries,
        [
            "account.added",
            "account.changed",
            "booking.made",
            "booking.changed",
            "booking.made",
            "call.admitted",
            "call.admitted"
        ]
    );
    let of_others = serde_json::to_string(&person.audit).unwrap();
    for others in ["49305550003", "Grace", "Bob", "Budget"] {
        assert!(!of_others.contains(others), "{others} in {of_others}");
    }

    let words = [
        "xantippe",
        "quux",
        "zyzzy",
        "quantum",
        "q-4711",
        "zeppelin",
        "zirkonia",
        "49305550001",
        "49305550002",
    ];
    let dump = bed.dump().await.to_lowercase();
    for word in words {
        assert!(dump.contains(word), "the search would not find {word}");
    }
    let erased = store
        .erase_person("xantippe@quux.example", &act(at(30)))
        .await
        .unwrap();
    assert_eq!(
        erased,
        conclave_store::Person {
            email: "xantippe@quux.example".to_owned(),
            ..person
        }
    );
    let dump = bed.dump().await.to_lowercase();
    for word in words {
        assert!(!dump.contains(word), "{word} is left");
    }
    for word in ["grace", "bob@example.org", "budget", "49305550003"] {
        assert!(dump.contains(word), "{word} is another's");
    }
    store.verify_audit().await.unwrap();
    let log = store.audit(&AuditPage::default()).await.unwrap();
    assert_eq!(log[0].body["owner"], "(erased person)");
    assert_eq!(log.last().unwrap().kind, "person.erased");
    let made = log
        .iter()
        .find(|entry| entry.body["booking"] == bobs.id.0)
        .unwrap();
    assert_eq!(made.body["title"], "Budget");
    let account = store.account(ada.id).await.unwrap().unwrap();
    assert_eq!(account.state, AccountState::Closed);
    assert!(!bed.opens(&store, &pins[0], at(60 * 60)).await);
    assert!(bed.opens(&store, &pins[1], at(60 * 60)).await);
    let now = store.booking(bobs.id).await.unwrap().unwrap();
    assert!(now.invitees[0].withdrawn && now.invitees[1] == bobs.invitees[1]);
    let letters = store
        .due_letters(9, chrono::TimeDelta::seconds(60), at(1000))
        .await
        .unwrap();
    let whose: Vec<_> = letters.iter().map(|letter| letter.invitee).collect();
    assert_eq!(whose, [Some(grace.0)], "no letter goes to who is erased");
    // The bridge goes on with what is left.
    let calls = store.all_calls().await;
    let visit = calls.last().unwrap().visit.as_ref().unwrap();
    assert_eq!(visit.holder.as_deref(), Some("Grace"));
}

async fn nobody_is_erased_twice(bed: Bed) {
    let store = bed.serve().await;
    store.add_account(bed.account("Ada"), at(0)).await.unwrap();
    let erase = async || store.erase_person("ada@example.org", &act(at(1))).await;
    erase().await.unwrap();
    assert!(matches!(erase().await, Err(StoreError::NoSuchPerson)));
    let nobody = store.export_person("ada@example.org").await.unwrap();
    assert_eq!((nobody.accounts.len(), nobody.calls.len()), (0, 0));
    assert_eq!(store.verify_audit().await.unwrap().entries, 3);
}

async fn a_number_that_is_masked_already_is_erased_from_the_log(bed: Bed) {
    let store = bed.serve().await;
    let ada = store.add_account(bed.account("Ada"), at(0)).await.unwrap();
    let mut told = Told::new(store).await;
    told.answered(1, 10, Source::new("berlin", "+49305550001"));
    told.started(1, 10, ada.id);
    told.admitted(1, 1, 10, Role::Host);
    told.written(20).await;
    // As it was left by a sweep that was cut off half-way.
    bed.run("UPDATE calls SET masked = 1, number = '+4930***01'")
        .await;
    assert!(bed.dump().await.contains("+49305550001"));
    told.store
        .erase_person("ada@example.org", &act(at(30)))
        .await
        .unwrap();
    assert!(!bed.dump().await.contains("49305550001"));
    told.store.verify_audit().await.unwrap();
}

async fn whoever_had_another_address_is_erased_under_it_too(bed: Bed) {
    let store = bed.serve().await;
    let before = NewAccount {
        owner: Owner::new("Xantippe Quux", "xantippe@old.example").unwrap(),
        ..bed.account("Ada")
    };
    let ada = store.add_account(before, at(0)).await.unwrap();
    let change = AccountChange {
        owner: Some(Owner::new("Xantippe Zyzzy", "xantippe@new.example").unwrap()),
        ..AccountChange::default()
    };
    store
        .change_account(ada.id, &change, &act(at(1)))
        .await
        .unwrap();
    let person = store.export_person("xantippe@new.example").await.unwrap();
    let entries: Vec<_> = person.audit.iter().map(|entry| &*entry.kind).collect();
    assert_eq!(entries, ["account.added", "account.changed"]);
    store
        .erase_person("xantippe@new.example", &act(at(2)))
        .await
        .unwrap();
    let dump = bed.dump().await.to_lowercase();
    assert!(!dump.contains("quux") && !dump.contains("xantippe"));
    store.verify_audit().await.unwrap();
    // Whoever only works here is erased as well.
    let by = "root@bridge1";
    assert_eq!(store.export_person(by).await.unwrap().audit.len(), 4);
    let other = conclave_store::Act::new("other@bridge1", at(3));
    store.erase_person(by, &other).await.unwrap();
    assert!(!bed.dump().await.contains(by));
    store.verify_audit().await.unwrap();
}

/// Not only rows: what somebody finds who reads the file as bytes.
#[tokio::test]
async fn an_erased_person_is_gone_from_the_file() {
    let bed = Bed::sqlite();
    let store = bed.open().await;
    let new = NewAccount {
        owner: Owner::new("Xantippe Quux", "xantippe@quux.example").unwrap(),
        ..bed.account("Ada")
    };
    store.add_account(new, at(0)).await.unwrap();
    let file = || std::fs::read(bed.dir.path().join("conclave.db")).unwrap();
    let holds = |bytes: &[u8]| {
        String::from_utf8_lossy(bytes)
            .to_lowercase()
            .contains("quux")
    };
    // With the last connection the write-ahead log goes into the file.
    store.close().await;
    assert!(holds(&file()));
    let store = bed.open().await;
    store
        .erase_person("xantippe@quux.example", &act(at(1)))
        .await
        .unwrap();
    store.close().await;
    assert!(!holds(&file()));
}
