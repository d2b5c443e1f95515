//! `/methods`: what can be called, for `explain` and for scripts.

use std::sync::Arc;

use axum::{Json, extract::State};

use super::View;
use crate::catalog::method_list::MethodList;

/// Returns the methods that the providers have described.
pub(super) async fn answer(State(view): State<Arc<View>>) -> Json<MethodList> {
    let routes = view.routes.upgrade();
    let providers = routes
        .iter()
        .flat_map(|routes| routes.all().iter().map(|route| route.provider.to_string()).collect::<Vec<_>>());
    let undescribed = providers.filter(|provider| !view.catalog.has_described(provider)).collect();
    Json(MethodList { methods: view.catalog.idempotencies(), undescribed })
}
