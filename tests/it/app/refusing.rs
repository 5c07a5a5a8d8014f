//! A row that nothing but Postgres has anything against.

use super::TestApp;

impl TestApp {
    /// From now on Postgres refuses this value, an SQL literal, in the one field of this name.
    pub(crate) async fn let_postgres_refuse(&self, field: &str, value: &str) {
        let (table, column): (i64, i64) =
            sqlx::query_as("select database_id, id from fields where name = $1")
                .bind(field)
                .fetch_one(&self.pool)
                .await
                .unwrap();
        let check = format!(
            "alter table data.t{table} add constraint unlucky check (f{column} <> {value})"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(check))
            .execute(&self.pool)
            .await
            .unwrap();
    }
}
