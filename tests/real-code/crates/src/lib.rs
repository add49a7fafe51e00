//! Only a list: see the manifest.
