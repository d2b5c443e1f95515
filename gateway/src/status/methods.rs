//! `/methods`: what can be called, for `explain` and for scripts.

use std::sync::Arc;

use axum::{Json, extract::State};

use super::View;
use crate::catalog::methods::Methods;

/// Answers with what the providers have shown.
pub(super) async fn answer(State(view): State<Arc<View>>) -> Json<Methods> {
    let routes = view.routes.upgrade();
    let providers = routes
        .iter()
        .flat_map(|routes| routes.all().iter().map(|route| route.provider.to_string()).collect::<Vec<_>>());
    let undescribed = providers.filter(|provider| !view.catalog.has_described(provider)).collect();
    Json(Methods { methods: view.catalog.natures(), undescribed })
}
