//! Serving at a socket, until the process drains.

use std::{fmt, sync::Arc};

use arc_swap::ArcSwap;
use protocol::{Body, caller::Verifier, methods::Methods};
use tokio::net::TcpListener;

use crate::{
    context::ServingContext,
    layers::{self, Service},
    listener::Listener,
    tls,
    transcoder::Transcoder,
};

/// What stands around the routes of a program.
pub struct Around {
    /// Which methods there are.
    pub methods: Arc<Methods>,
    /// Who signs the contexts of callers; nothing where everybody is believed.
    pub verifier: Option<Arc<ArcSwap<Verifier>>>,
    /// Translates for callers that do not speak gRPC.
    pub transcoder: Option<Arc<dyn Transcoder>>,
    /// What the listener shows; nothing where it speaks plain text.
    pub tls: Option<tls::Current>,
}

/// Serves calls at a socket until the process drains, waits for those that are open, and returns in any case: how many had to
/// be cut.
pub fn serve(
    socket: TcpListener,
    routes: impl Service<Reply = Body>,
    around: Around,
    serving: &ServingContext,
) -> impl Future<Output = usize> + Send + 'static {
    let Around { methods, verifier, transcoder, tls } = around;
    let has_transcoder = transcoder.is_some();
    if let (true, Some(tls)) = (has_transcoder, &tls) {
        tls::also_http1(tls);
    }
    let stack = layers::around(routes, serving, methods, verifier, transcoder);
    Listener::new(stack, serving, tls, has_transcoder).run(socket)
}

impl fmt::Debug for Around {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Around").field("transcoder", &self.transcoder).finish_non_exhaustive()
    }
}
