//! Whether a request that takes a fresh connection can have left: nothing of it is written before the connection is there.

use std::cell::Cell;

use tower::util::MapResponseLayer;

tokio::task_local! {
    /// Whether the connection is there for the request that the task waits for.
    static CONNECTED: Cell<bool>;
}

/// Waits for a request; says what came of it, and whether there was a connection by then.
///
/// Connecting and handing over the request happen while this future is polled, so without a connection not a byte has left,
/// and none can leave later. That holds for a client that keeps no connections and has [`noting`] around its connector.
pub(super) async fn watched<T>(request: impl Future<Output = T>) -> (T, bool) {
    let noted = async { (request.await, CONNECTED.with(Cell::get)) };
    CONNECTED.scope(Cell::new(false), noted).await
}

/// Notes that a connection is there: name, TCP, proxy and TLS lie behind it.
pub(super) fn noting<C>() -> MapResponseLayer<fn(C) -> C> {
    MapResponseLayer::new(|connection| {
        // A connector that works on behind the scenes has nobody to tell.
        let _ = CONNECTED.try_with(|connected| connected.set(true));
        connection
    })
}
