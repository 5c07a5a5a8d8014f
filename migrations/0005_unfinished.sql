-- How many imports of an account are not at their end: asked at every submission.
create index imports_unfinished_of_account on imports (account_id) where finished_at is null;
