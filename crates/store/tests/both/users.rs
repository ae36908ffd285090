//! Users of the portal: what lets them in, and what shuts them out.

use chrono::TimeDelta;
use conclave_store::{
    AuditPage, NewFactor, NewSession, Page, PasswordHash, SealedFactor, SqlStore, Store,
    StoreError, Token, TokenHash, User, UserEmail, UserRole,
};

use crate::common::{Asked, Bed, act, at, databases, random};

databases!(
    a_user_is_found_by_address_and_is_one,
    a_link_sets_one_password_once,
    a_session_ends_in_every_way_it_may,
    who_is_suspended_is_out_at_once,
    what_is_over_is_swept,
    a_second_factor_is_used_once_and_may_be_lost,
    a_half_session_waits_for_its_second_factor,
    each_deed_is_in_the_audit_log_without_a_secret,
    an_erased_user_is_gone,
);

const IDLE: TimeDelta = TimeDelta::minutes(30);

fn token() -> TokenHash {
    Token::draw(&mut random()).hash()
}

async fn ada(store: &SqlStore) -> User {
    let email = UserEmail::parse("Ada@example.org").unwrap();
    let added = store.add_user(&email, UserRole::Host, &act(at(0))).await;
    added.unwrap()
}

async fn session(store: &SqlStore, user: &User, seconds: i64) -> TokenHash {
    let new = NewSession {
        user: user.id,
        token: token(),
        ends: at(seconds) + TimeDelta::hours(12),
        replaces: None,
    };
    store.begin_session(&new, at(seconds)).await.unwrap();
    new.token
}

async fn is_in(store: &SqlStore, token: &TokenHash, seconds: i64) -> bool {
    let found = store.session(token, IDLE, at(seconds)).await.unwrap();
    found.is_some()
}

async fn a_user_is_found_by_address_and_is_one(bed: Bed) {
    let store = bed.serve().await;
    assert_eq!(store.users(Page::all()).await.unwrap(), []);
    let ada = ada(&store).await;
    assert_eq!(ada.email.as_str(), "ada@example.org");
    assert!(!ada.has_password && !ada.suspended);
    let again = UserEmail::parse("ADA@example.org").unwrap();
    let again = store.add_user(&again, UserRole::Auditor, &act(at(1))).await;
    assert!(matches!(again, Err(StoreError::UserExists)), "{again:?}");

    let eve = UserEmail::parse("eve@example.org").unwrap();
    let eve = store.add_user(&eve, UserRole::Auditor, &act(at(1))).await;
    let eve = eve.unwrap();
    assert_eq!(
        store.users(Page::all()).await.unwrap(),
        [ada.clone(), eve.clone()]
    );
    let second = Page {
        after: ada.id.0,
        limit: 1,
    };
    assert_eq!(store.users(second).await.unwrap(), [eve]);
    let found = store.user("aDA@example.org").await.unwrap();
    assert_eq!(found, Some((ada.clone(), None)));
    assert_eq!(store.user("ada").await.unwrap(), None);

    let service = UserRole::Service;
    store
        .change_user_role(ada.id, service, &act(at(2)))
        .await
        .unwrap();
    let (ada, _) = store.user("ada@example.org").await.unwrap().unwrap();
    assert_eq!(ada.role, service);
    let nobody = conclave_store::UserId(99);
    for refused in [
        store.change_user_role(nobody, service, &act(at(2))).await,
        store.suspend_user(nobody, true, &act(at(2))).await,
        store.offer_link(nobody, &token(), at(9), &act(at(2))).await,
        store.end_sessions(nobody, &act(at(2))).await.map(drop),
    ] {
        assert!(
            matches!(refused, Err(StoreError::NoSuchUser(id)) if id == nobody),
            "{refused:?}"
        );
    }
}

fn factor(codes: &[&str]) -> NewFactor {
    NewFactor {
        secret: SealedFactor::from_bytes(&[7; SealedFactor::LENGTH]).unwrap(),
        step: 100,
        recovery: codes
            .iter()
            .map(|code| TokenHash::of(code.as_bytes()))
            .collect(),
    }
}

async fn a_second_factor_is_used_once_and_may_be_lost(bed: Bed) {
    let store = bed.serve().await;
    let ada = ada(&store).await;
    let by = act(at(1));
    assert_eq!(store.second_factor(ada.id).await.unwrap(), None);
    assert!(!store.use_factor_step(ada.id, 200).await.unwrap());
    let new = factor(&["one", "two"]);
    store.set_second_factor(ada.id, &new, &by).await.unwrap();
    let (found, _) = store.user("ada@example.org").await.unwrap().unwrap();
    assert!(found.has_second_factor && !ada.has_second_factor);
    assert_eq!(store.second_factor(ada.id).await.unwrap(), Some(new.secret));
    for (step, good) in [
        (100, false),
        (102, true),
        (102, false),
        (101, false),
        (103, true),
    ] {
        let used = store.use_factor_step(ada.id, step).await.unwrap();
        assert_eq!(used, good, "step {step}");
    }

    let by_code = async |code: &str| {
        let hash = TokenHash::of(code.as_bytes());
        store.use_recovery_code(ada.id, &hash, &by).await.unwrap()
    };
    assert!(by_code("one").await && !by_code("one").await && !by_code("three").await);
    assert_eq!(store.recovery_codes(ada.id).await.unwrap(), 1);
    let codes = factor(&["three", "four", "five"]).recovery;
    store
        .renew_recovery_codes(ada.id, &codes, &by)
        .await
        .unwrap();
    assert!(by_code("three").await && !by_code("two").await);

    store.drop_second_factor(ada.id, &by).await.unwrap();
    assert_eq!(store.second_factor(ada.id).await.unwrap(), None);
    assert_eq!(store.recovery_codes(ada.id).await.unwrap(), 0);
    let audit = store.audit(&AuditPage::default()).await.unwrap();
    let kinds: Vec<_> = audit.iter().map(|entry| entry.kind.as_str()).collect();
    let expected = [
        "user.second-factor-set",
        "user.recovery-code-used",
        "user.recovery-codes-renewed",
        "user.recovery-code-used",
        "user.second-factor-dropped",
    ];
    assert!(kinds.ends_with(&expected), "{kinds:?}");
    let nobody = conclave_store::UserId(99);
    let refused = store.set_second_factor(nobody, &factor(&[]), &by).await;
    assert!(
        matches!(refused, Err(StoreError::NoSuchUser(_))),
        "{refused:?}"
    );
}

async fn a_half_session_waits_for_its_second_factor(bed: Bed) {
    let store = bed.serve().await;
    let ada = ada(&store).await;
    let by = act(at(0));
    let half = async |token: &TokenHash, seconds| {
        let found = store.half_session(token, at(seconds)).await.unwrap();
        found.map(|user| user.id)
    };
    store
        .set_second_factor(ada.id, &factor(&["one"]), &by)
        .await
        .unwrap();
    let [first, second, third] = [token(), token(), token()];
    for token in [&first, &second] {
        store
            .begin_half_session(token, ada.id, at(600))
            .await
            .unwrap();
    }
    assert_eq!(half(&first, 599).await, Some(ada.id));
    assert_eq!(half(&first, 600).await, None, "too late");
    assert!(!is_in(&store, &first, 1).await, "it opens nothing");
    let whole = NewSession {
        user: ada.id,
        token: third,
        ends: at(9_000),
        replaces: Some(first),
    };
    store.begin_session(&whole, at(2)).await.unwrap();
    assert!(is_in(&store, &third, 2).await);
    assert_eq!(half(&first, 2).await, None, "it is whole now");
    assert_eq!(half(&second, 2).await, Some(ada.id), "another browser's");
    store.suspend_user(ada.id, true, &by).await.unwrap();
    store.suspend_user(ada.id, false, &by).await.unwrap();
    assert_eq!(half(&second, 2).await, None, "suspended meanwhile");
    store
        .begin_half_session(&first, ada.id, at(600))
        .await
        .unwrap();
    store.drop_second_factor(ada.id, &by).await.unwrap();
    assert_eq!(half(&first, 2).await, None, "nothing is owed");
}

async fn a_link_sets_one_password_once(bed: Bed) {
    let store = bed.serve().await;
    let ada = ada(&store).await;
    let (first, second) = (token(), token());
    for link in [&first, &second] {
        store
            .offer_link(ada.id, link, at(100), &act(at(0)))
            .await
            .unwrap();
    }
    let leads = async |link, seconds| store.linked_user(link, at(seconds)).await.unwrap();
    assert_eq!(leads(&first, 1).await, None, "a newer one replaced it");
    assert_eq!(leads(&second, 99).await, Some(ada.clone()));
    assert_eq!(leads(&second, 100).await, None, "too old");

    let password = PasswordHash::new("$argon2id$one");
    let before = session(&store, &ada, 1).await;
    let set = async |link, seconds| store.set_password(link, &password, at(seconds)).await;
    for (link, seconds) in [(&first, 1), (&second, 100)] {
        let refused = set(link, seconds).await;
        assert!(
            matches!(refused, Err(StoreError::NoSuchLink)),
            "{refused:?}"
        );
    }
    assert!(set(&second, 50).await.unwrap().has_password);
    let refused = set(&second, 51).await;
    assert!(
        matches!(refused, Err(StoreError::NoSuchLink)),
        "{refused:?}"
    );
    let (user, kept) = store.user("ada@example.org").await.unwrap().unwrap();
    assert!(user.has_password && kept == Some(password));
    assert!(
        !is_in(&store, &before, 52).await,
        "who knew the old password is out"
    );
}

async fn a_session_ends_in_every_way_it_may(bed: Bed) {
    let store = bed.serve().await;
    let ada = ada(&store).await;
    let idle = IDLE.num_seconds();
    let one = session(&store, &ada, 0).await;
    let found = store.session(&one, IDLE, at(idle - 1)).await.unwrap();
    assert_eq!(found.unwrap().user, ada);
    assert!(!is_in(&store, &one, idle).await, "idle for too long");
    store.session_seen(&one, at(idle - 1)).await.unwrap();
    store.session_seen(&one, at(5)).await.unwrap();
    assert!(is_in(&store, &one, 2 * idle - 2).await, "it was in use");
    let day = TimeDelta::hours(12).num_seconds();
    store.session_seen(&one, at(day - 1)).await.unwrap();
    assert!(is_in(&store, &one, day - 1).await);
    assert!(!is_in(&store, &one, day).await, "however busy it is");
    assert!(!is_in(&store, &token(), 1).await);

    let two = session(&store, &ada, 10).await;
    let rotated = NewSession {
        user: ada.id,
        token: token(),
        ends: at(1000),
        replaces: Some(two),
    };
    store.begin_session(&rotated, at(11)).await.unwrap();
    assert!(!is_in(&store, &two, 12).await);
    assert!(is_in(&store, &rotated.token, 12).await);

    store
        .end_session(&rotated.token, &act(at(12)))
        .await
        .unwrap();
    assert!(!is_in(&store, &rotated.token, 13).await);
    let three = session(&store, &ada, 13).await;
    let ended = store.end_sessions(ada.id, &act(at(14))).await.unwrap();
    assert!(ended == 2 && !is_in(&store, &three, 14).await, "{ended}");
}

async fn who_is_suspended_is_out_at_once(bed: Bed) {
    let store = bed.serve().await;
    let ada = ada(&store).await;
    let link = token();
    store
        .offer_link(ada.id, &link, at(100), &act(at(0)))
        .await
        .unwrap();
    let before = session(&store, &ada, 1).await;
    store.suspend_user(ada.id, true, &act(at(2))).await.unwrap();
    assert!(!is_in(&store, &before, 3).await);
    assert_eq!(store.linked_user(&link, at(3)).await.unwrap(), None);
    let new = NewSession {
        user: ada.id,
        token: token(),
        ends: at(100),
        replaces: None,
    };
    for refused in [
        store.begin_session(&new, at(3)).await.map(drop),
        store
            .offer_link(ada.id, &token(), at(100), &act(at(3)))
            .await,
    ] {
        assert!(matches!(refused, Err(StoreError::UserSuspended(_))));
    }
    store
        .suspend_user(ada.id, false, &act(at(4)))
        .await
        .unwrap();
    assert!(
        !is_in(&store, &before, 5).await,
        "what was ended stays so when the user is let in again"
    );
    assert_eq!(store.linked_user(&link, at(5)).await.unwrap(), None);
    assert!(store.begin_session(&new, at(5)).await.is_ok());
}

async fn what_is_over_is_swept(bed: Bed) {
    let store = bed.serve().await;
    let ada = ada(&store).await;
    session(&store, &ada, 0).await;
    let kept = session(&store, &ada, 60).await;
    store
        .offer_link(ada.id, &token(), at(100), &act(at(0)))
        .await
        .unwrap();
    let day = TimeDelta::hours(12).num_seconds();
    let keep = conclave_store::Keep::default();
    store.sweep(&keep, at(day)).await.unwrap();
    assert_eq!(bed.count("SELECT COUNT(*) FROM sessions").await, 1);
    assert_eq!(bed.count("SELECT COUNT(*) FROM setup_links").await, 0);
    store.session_seen(&kept, at(day)).await.unwrap();
    assert!(is_in(&store, &kept, day).await);
}

async fn each_deed_is_in_the_audit_log_without_a_secret(bed: Bed) {
    let store = bed.serve().await;
    let ada = ada(&store).await;
    let link = Token::draw(&mut random());
    store
        .offer_link(ada.id, &link.hash(), at(100), &act(at(1)))
        .await
        .unwrap();
    let password = PasswordHash::new("$argon2id$quux");
    store
        .set_password(&link.hash(), &password, at(2))
        .await
        .unwrap();
    let cookie = session(&store, &ada, 3).await;
    let her = conclave_store::Act::new(ada.email.as_str(), at(4));
    store.end_session(&cookie, &her).await.unwrap();
    store.end_session(&cookie, &her).await.unwrap();
    let root = act(at(5));
    store
        .change_user_role(ada.id, UserRole::Auditor, &root)
        .await
        .unwrap();
    store.end_sessions(ada.id, &root).await.unwrap();
    store.suspend_user(ada.id, true, &root).await.unwrap();
    store.suspend_user(ada.id, false, &root).await.unwrap();

    let page = AuditPage {
        kind: Some("user.".to_owned()),
        ..AuditPage::default()
    };
    let entries = store.audit(&page).await.unwrap();
    let told: Vec<_> = entries
        .iter()
        .map(|row| (row.kind.as_str(), row.body["by"].as_str().unwrap()))
        .collect();
    let (ada, root) = ("ada@example.org", "root@bridge1");
    let expected = [
        ("user.added", root),
        ("user.link", root),
        ("user.password-set", ada),
        ("user.signed-in", ada),
        ("user.signed-out", ada),
        ("user.role-changed", root),
        ("user.sessions-ended", root),
        ("user.suspended", root),
        ("user.resumed", root),
    ];
    assert_eq!(told, expected);
    let text = format!("{entries:?}");
    assert!(!text.contains("argon") && !text.contains(&link.expose()[..]));
    store.verify_audit().await.unwrap();
}

async fn an_erased_user_is_gone(bed: Bed) {
    let store = bed.serve().await;
    let new = bed.account("Xantippe");
    store.add_account(new, at(0)).await.unwrap();
    let email = UserEmail::parse("Xantippe@example.org").unwrap();
    let user = store
        .add_user(&email, UserRole::Host, &act(at(0)))
        .await
        .unwrap();
    let cookie = session(&store, &user, 1).await;
    let kept = store.export_person("XANTIPPE@example.org").await.unwrap();
    assert_eq!(kept.user, Some(user.clone()));
    let kinds: Vec<_> = kept.audit.iter().map(|row| row.kind.as_str()).collect();
    assert_eq!(kinds, ["account.added", "user.added", "user.signed-in"]);
    assert!(kept.api_tokens.is_empty() && kept.webhooks.is_empty());

    store
        .erase_person("Xantippe@example.org", &act(at(2)))
        .await
        .unwrap();
    assert!(!is_in(&store, &cookie, 3).await);
    assert_eq!(store.user("xantippe@example.org").await.unwrap(), None);
    store.verify_audit().await.unwrap();
    let dump = bed.dump().await.to_lowercase();
    assert!(!dump.contains("xantippe"));

    // Who was a user and nothing else is erased too, and the number of an erased one is not given again.
    let eve = UserEmail::parse("eve@example.org").unwrap();
    let eve = store
        .add_user(&eve, UserRole::Service, &act(at(4)))
        .await
        .unwrap();
    assert!(eve.id > user.id);
    store
        .erase_person("eve@example.org", &act(at(5)))
        .await
        .unwrap();
    assert_eq!(store.users(Page::all()).await.unwrap(), []);
    store.verify_audit().await.unwrap();
}
