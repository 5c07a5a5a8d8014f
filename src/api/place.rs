//! The ids and names in a path. What cannot be one is an address where nothing is.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::App;
use super::no_route;
use super::problem::Problem;

/// What stands in the placeholders of a route.
pub(crate) struct Path<T>(pub(crate) T);

impl<T: DeserializeOwned + Send> FromRequestParts<App> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Path<T>, Problem> {
        match axum::extract::Path::from_request_parts(parts, app).await {
            Ok(axum::extract::Path(place)) => Ok(Path(place)),
            Err(_) => Err(no_route().await),
        }
    }
}
