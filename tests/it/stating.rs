//! Every SQL statement of the store is understood by Postgres: the static ones are prepared, those
//! over typed tables are run for every type of field.

use std::path::{Path, PathBuf};

use longshore_core::database::{Database, TableNumber};
use longshore_core::field::{Field, FieldType};
use longshore_core::plan::{LinkTable, Side};
use longshore_core::store::binary::ColumnArray;
use longshore_core::store::new_rows::NewRows;
use longshore_core::store::{databases, indexes, links, matches, profiles, typed};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, SqlSafeStr};

use crate::app::{TestApp, fresh_database};

fn sources(directory: &str) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    let mut found = Vec::new();
    let mut open = vec![root];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => open.push(path),
                false if path.extension().is_some_and(|ending| ending == "rs") => {
                    found.push((path.clone(), std::fs::read_to_string(path).unwrap()));
                }
                false => {}
            }
        }
    }
    found
}

/// Whatever is passed first to one of sqlx's query functions.
fn queried(source: &str) -> Vec<&str> {
    let calls = source.match_indices("sqlx::query");
    calls
        .filter_map(|(at, _)| {
            let call = &source[at..];
            let (name, argument) = call.split_once('(')?;
            let known = ["sqlx::query", "sqlx::query_as", "sqlx::query_scalar"];
            known.contains(&name).then(|| argument.trim_start())
        })
        .collect()
}

/// The text of the string literal at the start of `source`.
fn literal(source: &str) -> Option<String> {
    let mut text = String::new();
    let mut characters = source.strip_prefix('"')?.chars().peekable();
    loop {
        match characters.next()? {
            '"' => return Some(text),
            '\\' => match characters.next()? {
                '\n' => while characters.next_if(|c| c.is_whitespace()).is_some() {},
                'n' => text.push('\n'),
                other => text.push(other),
            },
            other => text.push(other),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_static_statement_of_the_store_can_be_prepared() {
    let mut connection = PgConnection::connect(&fresh_database().await)
        .await
        .unwrap();
    let mut prepared = 0;
    for (path, source) in sources("core/src/store") {
        for argument in queried(&source) {
            let Some(statement) = literal(argument) else {
                // Made in the room of typed tables, or of parts of this file.
                let built =
                    argument.starts_with("AssertSqlSafe(") || argument.starts_with("concat!(");
                assert!(
                    built,
                    "{}: a statement that is not seen: {:.60}",
                    path.display(),
                    argument
                );
                continue;
            };
            let done = (&mut connection)
                .prepare(AssertSqlSafe(statement.clone()).into_sql_str())
                .await;
            assert!(
                done.is_ok(),
                "{}: {statement}: {:?}",
                path.display(),
                done.err()
            );
            prepared += 1;
        }
    }
    assert!(prepared > 60, "only {prepared} statements were seen");
}

#[test]
fn the_doors_and_the_workers_leave_sql_to_the_store() {
    for directory in ["src/api", "src/cli", "workers/src"] {
        for (path, source) in sources(directory) {
            let plant = path.ends_with("plant.rs");
            assert!(plant || queried(&source).is_empty(), "{}", path.display());
        }
    }
}

/// A field of every type, named by it, and with a value as its default.
fn fields() -> Value {
    let value = |kind: FieldType| match kind {
        FieldType::Integer => json!(7),
        FieldType::Number => json!(1.5),
        FieldType::Boolean => json!(true),
        FieldType::Date => json!("2024-02-29"),
        FieldType::Datetime => json!("2024-02-29T00:00:00Z"),
        FieldType::Email => json!("Ann@x.example"),
        FieldType::Phone => json!("112"),
        FieldType::Multiselect => json!(["red", "a, \"b\""]),
        FieldType::Text => json!("Ü"),
        FieldType::Select => json!("red"),
    };
    let field = |kind: FieldType| {
        let mut field =
            json!({"name": kind.as_str(), "type": kind.as_str(), "default": value(kind)});
        field["unique"] = json!(kind == FieldType::Email);
        if matches!(kind, FieldType::Select | FieldType::Multiselect) {
            field["options"] = json!(["red", "a, \"b\""]);
        }
        if matches!(kind, FieldType::Text) {
            field["case_insensitive"] = json!(true);
        }
        field
    };
    json!(FieldType::ALL.map(field))
}

async fn everything(app: &TestApp) -> Database {
    app.database(json!({"name": "all", "fields": fields(), "collections": [{"name": "Parts", "fields": fields()}]}))
        .await;
    let mut connection = app.pool.acquire().await.unwrap();
    let number: i64 = sqlx::query_scalar("select id from databases")
        .fetch_one(&mut *connection)
        .await
        .unwrap();
    databases::by_number(&mut connection, number).await.unwrap()
}

/// The side whose keys are these fields, with the others beside them.
fn side(number: TableNumber, collection: Option<&str>, all: &[Field], keys: &[FieldType]) -> Side {
    let is_key = |field: &&Field| keys.contains(&field.kind);
    let (keys, rest): (Vec<&Field>, Vec<&Field>) = all.iter().partition(is_key);
    let identifying = keys.len();
    let fields = keys.into_iter().chain(rest).cloned().collect();
    Side::new(number, collection.map(str::to_owned), fields, identifying)
}

fn columns<'a>(fields: &'a [Field], cells: &[bool]) -> Vec<ColumnArray<'a>> {
    let column = |field: &'a Field| ColumnArray {
        kind: field.kind,
        cells: cells
            .iter()
            .map(|set| field.default.as_deref().filter(|_| *set))
            .collect(),
    };
    fields.iter().map(column).collect()
}

/// Sets of keys: every type alone, and all of them together.
fn key_sets() -> Vec<Vec<FieldType>> {
    let alone = FieldType::ALL.iter().map(|kind| vec![*kind]);
    alone.chain([FieldType::ALL.to_vec()]).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_statement_over_typed_tables_runs_for_every_type_of_field() {
    let app = TestApp::start().await;
    let database = everything(&app).await;
    let collection = &database.collections[0];
    let mut connection = PgConnection::connect(&app.database_url).await.unwrap();
    let connection = &mut connection;
    let all = side(database.number, None, &database.fields, &[]);
    let parts = side(collection.number, Some("Parts"), &collection.fields, &[]);
    // copy_in with and without ids, draw_ids.
    let ids = profiles::draw_ids(connection, database.number, 2)
        .await
        .unwrap();
    assert_eq!(ids[1], ids[0] + 1);
    assert_eq!(TableNumber::of_id(ids[0]), database.number);
    insert(connection, &all, Some(ids[0]), None).await;
    insert(connection, &parts, None, Some(ids[0])).await;
    let child = profiles::children(connection, (collection.number, &collection.fields), &ids)
        .await
        .unwrap();
    for keys in key_sets() {
        let matched = side(database.number, None, &database.fields, &keys);
        let key_columns = columns(&matched.fields[..matched.keys], &[true]);
        let found = matches::of_keys(connection, &matched, None, key_columns, None)
            .await
            .unwrap();
        let found: Vec<i64> = found.iter().map(|found| found.id).collect();
        // Texts that ignore case are folded before they are looked for.
        let folds = keys
            .iter()
            .any(|kind| matches!(kind, FieldType::Text | FieldType::Email));
        assert_eq!(found, if folds { vec![] } else { vec![ids[0]] }, "{keys:?}");
        let matched = side(collection.number, Some("Parts"), &collection.fields, &keys);
        let key_columns = columns(&matched.fields[..matched.keys], &[true]);
        let found = matches::of_keys(connection, &matched, Some(&ids[..1]), key_columns, None)
            .await
            .unwrap();
        assert_eq!(found.len(), usize::from(!folds), "{keys:?}");
        indexes::ensure(connection, database.number.0, &matched)
            .await
            .ok();
        // A multiselect is no key field.
        let group: Vec<usize> = (0..keys.len())
            .filter(|_| !keys.contains(&FieldType::Multiselect))
            .collect();
        if !group.is_empty() {
            let mut matched = side(database.number, None, &database.fields, &keys);
            matched.versioned = true;
            let cells: Vec<&[u8]> = group
                .iter()
                .map(|place| matched.fields[*place].default.as_deref().unwrap())
                .collect();
            let found = matches::of_alternative(connection, &matched, &group, &cells)
                .await
                .unwrap();
            let found = found.iter().next().unwrap();
            assert_eq!(found.id, ids[0], "{keys:?}: texts are folded there");
            assert!(found.updated_at.is_some());
        }
        run(
            connection,
            &typed::create_key_index(&side(database.number, None, &database.fields, &keys)),
        )
        .await;
    }
    // match_subprofiles without keys, update, page, one, children, delete_children, delete.
    let found = matches::of_keys(connection, &parts, Some(&ids), Vec::new(), Some(10))
        .await
        .unwrap();
    assert_eq!(found.len(), 1);
    for set in [false, true] {
        let cells = all
            .fields
            .iter()
            .map(|field| vec![field.default.as_deref().filter(|_| set)])
            .collect();
        profiles::update(connection, &all, &ids[..1], cells, 1)
            .await
            .unwrap();
        for field in &database.fields {
            let filter = [(field.clone(), field.default.clone().unwrap())];
            let table = (database.number, database.fields.as_slice());
            let page = profiles::page(connection, table, &filter, (0, 10))
                .await
                .unwrap();
            assert_eq!(page.len(), usize::from(set), "{:?}", field.kind);
        }
    }
    let one = profiles::one(connection, (database.number, &database.fields), ids[0])
        .await
        .unwrap();
    let kept: Vec<Option<Vec<u8>>> = database
        .fields
        .iter()
        .map(|field| field.default.clone())
        .collect();
    assert_eq!((&one.cells, &child[0].cells), (&kept, &kept));
    // A few rows are written in one way, many in another; they are kept alike.
    for many in [false, true] {
        if many {
            let cells: Vec<Option<&[u8]>> = kept.iter().map(Option::as_deref).collect();
            let rows = NewRows {
                ids: None,
                parents: Some(vec![ids[0]]),
                cells: vec![&cells],
                import_id: 1,
            };
            rows.copy(connection, &parts).await.unwrap();
        }
        let table = (collection.number, collection.fields.as_slice());
        let children = profiles::children(connection, table, &ids).await.unwrap();
        assert_eq!(children[0].cells, kept, "many: {many}");
        let number = collection.number;
        let deleted = profiles::delete_children(connection, number, &ids).await;
        assert_eq!(deleted.unwrap(), 1);
    }
    assert_eq!(
        profiles::delete(connection, database.number, &ids)
            .await
            .unwrap(),
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_columns_and_unique_indexes_are_made_for_every_type_of_field() {
    let mut connection = PgConnection::connect(&fresh_database().await)
        .await
        .unwrap();
    let connection = &mut connection;
    let field = |id: usize, kind: FieldType| Field {
        id: id as i64 + 1,
        name: kind.as_str().to_owned(),
        kind,
        required: false,
        unique: kind != FieldType::Multiselect,
        case_insensitive: kind.is_text(),
        default: None,
        options: Vec::new(),
    };
    let fields: Vec<Field> = FieldType::ALL
        .iter()
        .enumerate()
        .map(|(id, kind)| field(id, *kind))
        .collect();
    let (number, child) = (TableNumber(7), TableNumber(8));
    for (number, parent) in [(number, None), (child, Some(number))] {
        for statement in typed::create_table(number, parent, &fields) {
            run(connection, &statement).await;
        }
        for (id, kind) in FieldType::ALL.iter().enumerate() {
            let later = field(100 + id, *kind);
            run(connection, &typed::add_column(number, &later)).await;
            if later.unique {
                run(connection, &typed::add_unique_index(number, &later)).await;
                run(connection, &typed::drop_unique_index(number, &later)).await;
                run(connection, &typed::add_unique_index(number, &later)).await;
            }
        }
    }
    let indexes: Vec<String> = sqlx::query_scalar(
        "select relname from pg_class where relkind = 'i' and relname like 't7%'",
    )
    .fetch_all(connection)
    .await
    .unwrap();
    let known = indexes
        .iter()
        .filter_map(|name| typed::field_of_unique_index(name))
        .count();
    assert_eq!(known, 19, "{indexes:?}");
}

/// Whoever adds a statement to the room adds it here.
#[test]
fn no_statement_over_typed_tables_is_left_out() {
    let mut named = Vec::new();
    for (path, source) in sources("core/src/store/typed") {
        let file = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let functions = source
            .lines()
            .filter_map(|line| line.strip_prefix("pub fn ")?.split_once('('))
            .map(|(name, _)| format!("{file}::{name}"));
        named.extend(functions);
    }
    named.sort();
    let run = [
        "links::create_table",
        "links::delete",
        "links::delete_all",
        "links::insert",
        "links::known",
        "links::linked",
        "matching::match_alternative",
        "matching::match_profiles",
        "matching::match_subprofiles",
        "mod::add_column",
        "mod::add_unique_index",
        "mod::children",
        "mod::create_key_index",
        "mod::create_table",
        "mod::drop_unique_index",
        "mod::field_of_unique_index",
        "mod::key_index_name",
        "mod::one",
        "mod::page",
        "mod::some",
        "removal::count_profiles",
        "removal::count_subprofiles",
        "removal::keep_children",
        "removal::keep_profiles",
        "removal::keep_subprofiles",
        "removal::profile_victims",
        "removal::subprofile_victims",
        "writing::copy_in",
        "writing::delete",
        "writing::delete_children",
        "writing::draw_ids",
        "writing::insert",
        "writing::update",
    ];
    assert_eq!(named, run);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_statement_over_links_runs_from_both_ends() {
    let app = TestApp::start().await;
    let database = everything(&app).await;
    app.database(json!({"name": "other", "fields": fields()}))
        .await;
    let link = json!({"name": "Others", "database": "other", "reverse": "Alls"});
    app.post("/databases/all/links", link).await.expect(201);
    let mut connection = PgConnection::connect(&app.database_url).await.unwrap();
    let connection = &mut connection;
    let number = database.number.0;
    let database = databases::by_number(connection, number).await.unwrap();
    let other = databases::by_number(connection, database.links[0].other.0)
        .await
        .unwrap();
    for (own, far) in [(&database, &other), (&other, &database)] {
        let (own_side, far_side) = (
            side(own.number, None, &own.fields, &[]),
            side(far.number, None, &far.fields, &[]),
        );
        let id = profiles::draw_ids(connection, own.number, 1).await.unwrap()[0];
        let far_id = profiles::draw_ids(connection, far.number, 1).await.unwrap()[0];
        insert(connection, &own_side, Some(id), None).await;
        insert(connection, &far_side, Some(far_id), None).await;
        let link = &own.links[0];
        let table = LinkTable::of(link);
        let pairs = (vec![id], vec![far_id]);
        for _ in 0..2 {
            links::insert(connection, &table, &pairs, 1).await.unwrap();
        }
        let known = (vec![id, id + 1, id], vec![far_id, far_id, far_id + 1]);
        assert_eq!(links::known(connection, &table, &known).await.unwrap(), [0]);
        let linked = links::linked(connection, link, &[id]).await.unwrap();
        assert_eq!((linked[0].id, linked[0].profile_id), (far_id, Some(id)));
        links::delete(connection, &table, &pairs).await.unwrap();
        links::insert(connection, &table, &pairs, 1).await.unwrap();
        let undone = links::delete_all(connection, &table, &[id]).await.unwrap();
        assert_eq!(undone, 1);
        for (side, id) in [(&own_side, id), (&far_side, far_id)] {
            profiles::delete(connection, side.number, &[id])
                .await
                .unwrap();
        }
    }
}

async fn run(connection: &mut PgConnection, statement: &str) {
    let done = connection
        .execute(sqlx::raw_sql(AssertSqlSafe(statement.to_owned())))
        .await;
    assert!(done.is_ok(), "{statement}: {:?}", done.err());
}

async fn insert(connection: &mut PgConnection, side: &Side, id: Option<i64>, parent: Option<i64>) {
    let cells: Vec<Option<&[u8]>> = side
        .fields
        .iter()
        .map(|field| field.default.as_deref())
        .collect();
    let rows = NewRows {
        ids: id.map(|id| vec![id]),
        parents: parent.map(|parent| vec![parent]),
        cells: vec![&cells],
        import_id: 1,
    };
    rows.insert(connection, side).await.unwrap();
}
