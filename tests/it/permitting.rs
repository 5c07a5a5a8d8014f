//! Who may do what: tokens and their scopes, on every route, and accounts that do not see each
//! other.

use longshore_core::token::Scope;
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{Answer, TestApp, answer, make_token};

/// Every route below /v1 with the scope it needs.
const ROUTES: [(&str, &str, Scope); 29] = [
    ("GET", "/databases", Scope::Read),
    ("POST", "/databases", Scope::Write),
    ("GET", "/databases/{database}", Scope::Read),
    ("PATCH", "/databases/{database}", Scope::Write),
    ("POST", "/databases/{database}/fields", Scope::Write),
    ("POST", "/databases/{database}/collections", Scope::Write),
    ("POST", "/databases/{database}/links", Scope::Write),
    (
        "POST",
        "/databases/{database}/collections/{collection}/fields",
        Scope::Write,
    ),
    ("GET", "/databases/{database}/profiles", Scope::Read),
    (
        "GET",
        "/databases/{database}/profiles/{profile}",
        Scope::Read,
    ),
    ("GET", "/imports", Scope::Read),
    ("POST", "/imports", Scope::Write),
    ("GET", "/imports/{import}", Scope::Read),
    ("GET", "/imports/{import}/events", Scope::Read),
    ("PUT", "/imports/{import}/payload", Scope::Write),
    ("GET", "/imports/{import}/rejects", Scope::Read),
    ("GET", "/imports/{import}/rejects/summary", Scope::Read),
    ("GET", "/imports/{import}/removals", Scope::Read),
    ("POST", "/imports/{import}/approve", Scope::Write),
    ("POST", "/imports/{import}/refuse", Scope::Write),
    ("POST", "/imports/{import}/start", Scope::Write),
    ("POST", "/imports/{import}/pause", Scope::Write),
    ("POST", "/imports/{import}/resume", Scope::Write),
    ("POST", "/imports/{import}/cancel", Scope::Write),
    ("GET", "/account", Scope::Read),
    ("GET", "/overview", Scope::Read),
    ("GET", "/tokens", Scope::Admin),
    ("POST", "/tokens", Scope::Admin),
    ("DELETE", "/tokens/{token}", Scope::Admin),
];

/// Ids that stand in a path.
struct Ids {
    database: String,
    collection: String,
    profile: String,
    import: String,
    token: String,
}

impl Ids {
    fn nobodys() -> Ids {
        Ids {
            database: "db_99999".to_owned(),
            collection: "Nothing".to_owned(),
            profile: "pro_429492434632704".to_owned(),
            import: "imp_99999".to_owned(),
            token: "0123abcd".to_owned(),
        }
    }

    fn place(&self, path: &str) -> String {
        path.replace("{database}", &self.database)
            .replace("{collection}", &self.collection)
            .replace("{profile}", &self.profile)
            .replace("{import}", &self.import)
            .replace("{token}", &self.token)
    }
}

fn authorized(
    app: &TestApp,
    method: &str,
    path: &str,
    headers: &[&str],
) -> reqwest::RequestBuilder {
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let url = format!("{}/v1{path}", app.url);
    let request = app.http.request(method, url);
    headers.iter().fold(request, |request, value| {
        request.header("authorization", *value)
    })
}

/// With a body that every route understands as far as it gets.
async fn try_route(app: &TestApp, token: &str, (method, path): (&str, &str)) -> Answer {
    let request = authorized(app, method, path, &[&format!("Bearer {token}")]);
    let (media, body) = match path.rsplit('/').next() {
        Some("payload") => ("text/csv", "email\nmallory@x.example\n"),
        Some("fields") => ("application/json", r#"{"name":"planted","type":"text"}"#),
        Some("collections") => ("application/json", r#"{"name":"Planted","fields":[]}"#),
        Some("links") => (
            "application/json",
            r#"{"name":"Planted","database":"people"}"#,
        ),
        Some("approve") => ("application/json", r#"{"removals":1}"#),
        _ if method == "PATCH" => ("application/json", r#"{"brake":{"count":1}}"#),
        _ => ("application/json", "{}"),
    };
    answer(request.header("content-type", media).body(body)).await
}

#[test]
fn every_route_is_in_the_table_of_these_tests() {
    let code = include_str!("../../src/api/mod.rs");
    let router = code.split("let v1 = Router::new()").nth(1).unwrap();
    let router = router.split(".fallback(").next().unwrap();
    let verbs = ["get(", "post(", "put(", "delete(", "patch("];
    let known: usize = verbs.iter().map(|verb| router.matches(verb).count()).sum();
    assert_eq!(known, ROUTES.len());
    for (_, path, _) in ROUTES {
        assert!(router.contains(&format!("\"{path}\"")), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_no_valid_token_hears_the_same_words_on_every_route() {
    let app = TestApp::start().await;
    let revoked = make_token(&app.database_url, "default", Scope::Admin).await;
    let expired = make_token(&app.database_url, "default", Scope::Admin).await;
    let end = "update tokens set revoked_at = now() where id = $1";
    sqlx::query(end)
        .bind(&revoked[4..12])
        .execute(&app.pool)
        .await
        .unwrap();
    let end = "update tokens set expires_at = now() - interval '1 s' where id = $1";
    sqlx::query(end)
        .bind(&expired[4..12])
        .execute(&app.pool)
        .await
        .unwrap();
    let (_, unknown) = longshore_core::token::generate();
    let last = app.token.chars().last().unwrap();
    let typo = format!(
        "{}{}",
        &app.token[..app.token.len() - 1],
        if last == 'x' { 'y' } else { 'x' }
    );
    let wrong = [
        unknown,
        revoked,
        expired,
        typo,
        "short".to_owned(),
        String::new(),
    ];
    let mut headers: Vec<String> = wrong.iter().map(|text| format!("Bearer {text}")).collect();
    headers.push(format!("Basic {}", app.token));
    headers.push(app.token.clone());

    let mut texts = std::collections::BTreeSet::new();
    for (method, path, _) in ROUTES {
        let path = Ids::nobodys().place(path);
        let missing = answer(authorized(&app, method, &path, &[])).await;
        let mut refused = vec![missing.expect(401)];
        for header in &headers {
            let request = authorized(&app, method, &path, &[header]);
            refused.push(answer(request).await.expect(401));
        }
        for answer in refused {
            assert_eq!(answer.headers["www-authenticate"], "Bearer");
            assert_eq!(answer.headers["content-type"], "application/problem+json");
            assert_eq!(answer.code(), "unauthenticated");
            texts.insert(answer.text);
        }
    }
    assert_eq!(texts.len(), 1, "{texts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_needs_its_scope_and_admin_includes_all() {
    let app = TestApp::start().await;
    let scopes = [Scope::Read, Scope::Write, Scope::Admin];
    for held in scopes {
        let token = make_token(&app.database_url, "default", held).await;
        for (method, path, needed) in ROUTES {
            let place = Ids::nobodys().place(path);
            let answer = try_route(&app, &token, (method, &place)).await;
            let refused = answer.status == 403;
            assert_eq!(
                refused,
                held < needed,
                "{held:?} {method} {path}: {}",
                answer.text
            );
            if refused {
                assert_eq!(answer.code(), "scope_missing");
                assert!(
                    answer.json["detail"]
                        .as_str()
                        .unwrap()
                        .contains(needed.as_str())
                );
            }
            assert!(
                answer.status != 401 && answer.status < 500,
                "{}",
                answer.text
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_tokens_or_one_in_the_url_are_refused_on_every_route() {
    let app = TestApp::start().await;
    let bearer = format!("Bearer {}", app.token);
    for (method, path, _) in ROUTES {
        let path = Ids::nobodys().place(path);
        let twice = authorized(&app, method, &path, &[&bearer, &bearer]);
        assert_eq!(
            answer(twice).await.expect(400).code(),
            "ambiguous_credentials"
        );
        for query in ["access_token=x", "token=x", "wait=1&access%5Ftoken=x"] {
            let url = format!("{path}?{query}");
            for headers in [&[][..], &[bearer.as_str()]] {
                let request = authorized(&app, method, &url, headers);
                let refused = answer(request).await.expect(400);
                assert_eq!(refused.code(), "token_in_query", "{method} {url}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_scheme_is_read_without_regard_to_case() {
    let app = TestApp::start().await;
    for scheme in ["bearer", "BEARER", "Bearer "] {
        let header = format!("{scheme} {}", app.token);
        answer(authorized(&app, "GET", "/overview", &[&header]))
            .await
            .expect(200);
    }
}

/// A database with one of everything, and the ids of all of it.
async fn filled(app: &TestApp) -> Ids {
    let database = app
        .database(
            json!({"name": "people", "fields": [{"name": "email", "type": "email"}],
            "collections": [{"name": "Orders", "fields": [{"name": "no", "type": "integer"}]}]}),
        )
        .await;
    app.import(json!({"database": "people", "action": "add", "source": "email\nann@x.example\n"}))
        .await;
    let import = app
        .submit(json!({"database": "people", "action": "add"}))
        .await;
    Ids {
        database: database["id"].as_str().unwrap().to_owned(),
        collection: "Orders".to_owned(),
        profile: app.profiles("people").await[0]["id"]
            .as_str()
            .unwrap()
            .to_owned(),
        import,
        token: app.token[4..12].to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_belongs_to_another_account_answers_like_what_does_not_exist() {
    let app = TestApp::start().await;
    let theirs = filled(&app).await;
    let by_name = Ids {
        database: "people".to_owned(),
        ..filled_again(&theirs)
    };
    let stranger = make_token(&app.database_url, "other", Scope::Admin).await;
    let before = everything(&app).await;
    for (method, path, _) in ROUTES.into_iter().filter(|(_, path, _)| path.contains('{')) {
        let nobodys = try_route(&app, &stranger, (method, &Ids::nobodys().place(path))).await;
        assert_eq!(nobodys.status, 404, "{method} {path}: {}", nobodys.text);
        for ids in [&theirs, &by_name] {
            let answer = try_route(&app, &stranger, (method, &ids.place(path))).await;
            assert_eq!(
                (answer.status, &answer.text),
                (404, &nobodys.text),
                "{method} {path}"
            );
        }
        // And it is there for its owner: the paths are right.
        let url = theirs.place(path);
        if method == "GET" {
            app.get(&url).await.expect(200);
        }
    }
    assert_eq!(everything(&app).await, before);

    let get = async |path: &str| app.call_as(&stranger, ("GET", path), None).await;
    assert_eq!(get("/databases").await.json["data"], json!([]));
    assert_eq!(get("/imports").await.json["data"], json!([]));
    assert_eq!(
        get("/tokens").await.json["data"].as_array().unwrap().len(),
        1
    );
    assert_eq!(get("/overview").await.json["imports"], json!({}));
    get("/imports?database=people").await.expect(404);
    let submit = json!({"database": theirs.database, "action": "add"});
    let refused = app
        .call_as(&stranger, ("POST", "/imports"), Some(submit))
        .await;
    assert_eq!(refused.expect(422).code(), "unknown_database");
}

fn filled_again(ids: &Ids) -> Ids {
    Ids {
        database: ids.database.clone(),
        collection: ids.collection.clone(),
        profile: ids.profile.clone(),
        import: ids.import.clone(),
        token: ids.token.clone(),
    }
}

/// What the owner sees, and its token works.
async fn everything(app: &TestApp) -> Vec<Value> {
    let mut seen = Vec::new();
    for path in ["/databases", "/imports", "/databases/people/profiles"] {
        seen.push(app.get(path).await.expect(200).json["data"].clone());
    }
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_is_found_in_its_own_database_only() {
    let app = TestApp::start().await;
    let ids = filled(&app).await;
    app.database(json!({"name": "others", "fields": []})).await;
    app.get(&format!("/databases/people/profiles/{}", ids.profile))
        .await
        .expect(200);
    app.get(&format!("/databases/others/profiles/{}", ids.profile))
        .await
        .expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_that_name_another_account_change_nothing() {
    let app = TestApp::start().await;
    filled(&app).await;
    make_token(&app.database_url, "other", Scope::Admin).await;
    for name in [
        "x-tenant-id",
        "x-account-id",
        "x-forwarded-user",
        "x-forwarded-for",
    ] {
        let request = app.request("GET", "/databases").header(name, "other");
        let listed = answer(request).await.expect(200).json;
        assert_eq!(listed["data"].as_array().unwrap().len(), 1, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_tells_whose_it_is() {
    let app = TestApp::start().await;
    let made = json!({"name": "reader", "scopes": ["read"]});
    let made = app.post("/tokens", made).await.expect(201).json;
    let token = made["token"].as_str().unwrap();
    let told = app.call_as(token, ("GET", "/account"), None).await;
    let expected = json!({"name": "default", "token": {"id": made["id"], "scopes": ["read"]}});
    assert_eq!(told.expect(200).json, expected);
}
