//! `/methods`: what can be called, for `explain` and for scripts.

use std::{collections::BTreeMap, sync::Arc};

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};

use super::View;
use crate::catalog::Nature;

/// The methods of all providers.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Methods {
    /// Whether each reads or writes, by its full name.
    pub(crate) methods: BTreeMap<String, Nature>,
    /// Providers that have a route, but no service that has shown its methods yet.
    pub(crate) undescribed: Vec<String>,
}

/// Answers with what the providers have shown.
pub(super) async fn answer(State(view): State<Arc<View>>) -> Json<Methods> {
    let routes = view.routes.upgrade();
    let providers = routes
        .iter()
        .flat_map(|routes| routes.all().iter().map(|route| route.provider.to_string()).collect::<Vec<_>>());
    let undescribed = providers.filter(|provider| !view.catalog.has_described(provider)).collect();
    Json(Methods { methods: view.catalog.natures(), undescribed })
}
