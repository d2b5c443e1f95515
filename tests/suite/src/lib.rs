//! ispbridge-tests
