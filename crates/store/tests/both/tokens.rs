//! Tokens of programs, and what is made once.

use chrono::TimeDelta;
use conclave_store::{
    Act, AuditPage, Keep, NewApiToken, ONCE_LASTS, Once, Page, Scope, SqlStore, Store, StoreError,
    Token, TokenHash, User, UserEmail, UserRole,
};

use crate::common::{Bed, act, at, databases, random};

databases!(
    a_token_is_good_until_it_ends_is_revoked_or_its_user_is_shut_out,
    tokens_are_listed_by_user_and_leave_with_the_user,
    what_is_made_once_is_made_once,
);

fn token() -> TokenHash {
    Token::draw(&mut random()).hash()
}

async fn user(store: &SqlStore, email: &str) -> User {
    let email = UserEmail::parse(email).unwrap();
    let added = store.add_user(&email, UserRole::Host, &act(at(0))).await;
    added.unwrap()
}

fn new(user: &User, ends: Option<i64>) -> NewApiToken {
    NewApiToken {
        user: user.id,
        name: "calendar".to_owned(),
        token: token(),
        scopes: vec![Scope::BookingsRead, Scope::BookingsWrite],
        ends: ends.map(at),
    }
}

async fn is_good(store: &SqlStore, token: &TokenHash, seconds: i64) -> bool {
    store.api_token(token, at(seconds)).await.unwrap().is_some()
}

async fn a_token_is_good_until_it_ends_is_revoked_or_its_user_is_shut_out(bed: Bed) {
    let store = bed.serve().await;
    let ada = user(&store, "ada@example.org").await;
    let (lasting, ending) = (new(&ada, None), new(&ada, Some(100)));
    let made = store.add_api_token(&lasting, &act(at(1))).await.unwrap();
    store.add_api_token(&ending, &act(at(2))).await.unwrap();
    let found = store.api_token(&lasting.token, at(3)).await.unwrap();
    assert_eq!(found, Some(made.clone()));
    assert_eq!((made.user, made.scopes), (ada.clone(), lasting.scopes));
    assert!(!is_good(&store, &token(), 3).await);
    assert!(is_good(&store, &ending.token, 99).await);
    assert!(!is_good(&store, &ending.token, 100).await);

    store.api_token_used(made.id, at(50)).await.unwrap();
    let found = store.api_token(&lasting.token, at(51)).await.unwrap();
    assert_eq!(found.unwrap().used, Some(at(50)));

    store
        .suspend_user(ada.id, true, &act(at(60)))
        .await
        .unwrap();
    assert!(!is_good(&store, &lasting.token, 61).await);
    let refused = store.add_api_token(&new(&ada, None), &act(at(61))).await;
    assert!(
        matches!(refused, Err(StoreError::UserSuspended(_))),
        "{refused:?}"
    );
    store
        .suspend_user(ada.id, false, &act(at(62)))
        .await
        .unwrap();
    assert!(is_good(&store, &lasting.token, 63).await);

    store.revoke_api_token(made.id, &act(at(64))).await.unwrap();
    assert!(!is_good(&store, &lasting.token, 65).await);
    let again = store.revoke_api_token(made.id, &act(at(66))).await;
    assert!(
        matches!(again, Err(StoreError::NoSuchApiToken(_))),
        "{again:?}"
    );
    let audit = store.audit(&AuditPage::default()).await.unwrap();
    let kinds: Vec<_> = audit.iter().map(|row| row.kind.as_str()).collect();
    assert!(
        kinds.contains(&"token.added") && kinds.contains(&"token.revoked"),
        "{kinds:?}"
    );

    store.sweep(&Keep::default(), at(200)).await.unwrap();
    assert_eq!(store.api_tokens(None, Page::all()).await.unwrap(), []);
}

async fn tokens_are_listed_by_user_and_leave_with_the_user(bed: Bed) {
    let store = bed.serve().await;
    let (ada, bob) = (
        user(&store, "ada@example.org").await,
        user(&store, "bob@example.org").await,
    );
    let mut made = Vec::new();
    for whose in [&ada, &bob, &ada] {
        made.push(
            store
                .add_api_token(&new(whose, None), &act(at(1)))
                .await
                .unwrap(),
        );
    }
    let list = async |of, page| store.api_tokens(of, page).await.unwrap();
    assert_eq!(list(None, Page::all()).await, made);
    let own = [made[0].clone(), made[2].clone()];
    assert_eq!(list(Some(ada.id), Page::all()).await, own);
    let second = Page {
        after: made[0].id.0,
        limit: 1,
    };
    assert_eq!(list(Some(ada.id), second).await, [made[2].clone()]);
    store
        .erase_person("ada@example.org", &act(at(2)))
        .await
        .unwrap();
    assert_eq!(list(None, Page::all()).await, [made[1].clone()]);
}

async fn what_is_made_once_is_made_once(bed: Bed) {
    let store = bed.serve().await;
    let ada = user(&store, "ada@example.org").await;
    let once = |key: &str, request: &str| Once {
        user: ada.id,
        key: TokenHash::of(key.as_bytes()),
        request: TokenHash::of(request.as_bytes()),
    };
    let add = async |email: &str, once: Once| {
        let email = UserEmail::parse(email).unwrap();
        let act = Act::new("ada", at(10)).once(Some(once));
        store.add_user(&email, UserRole::Host, &act).await
    };
    assert_eq!(store.done(&once("a", "x")).await.unwrap(), None);
    let made = add("one@example.org", once("a", "x")).await.unwrap();
    let done = store.done(&once("a", "y")).await.unwrap().unwrap();
    assert_eq!(done.made, made.id.0);
    assert_eq!(done.request, TokenHash::of(b"x"));
    let again = add("two@example.org", once("a", "x")).await;
    assert!(matches!(again, Err(StoreError::Repeated)), "{again:?}");
    assert_eq!(
        store.user("two@example.org").await.unwrap(),
        None,
        "nothing of it was done"
    );
    // What failed may be tried again under its key.
    let taken = add("one@example.org", once("b", "x")).await;
    assert!(matches!(taken, Err(StoreError::UserExists)), "{taken:?}");
    add("two@example.org", once("b", "x")).await.unwrap();

    store
        .sweep(
            &Keep::default(),
            at(10) + ONCE_LASTS - TimeDelta::seconds(1),
        )
        .await
        .unwrap();
    assert!(store.done(&once("a", "x")).await.unwrap().is_some());
    store
        .sweep(&Keep::default(), at(10) + ONCE_LASTS)
        .await
        .unwrap();
    assert_eq!(store.done(&once("a", "x")).await.unwrap(), None);
}
