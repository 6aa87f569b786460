//! Runnable programs that use Lightlike: see `README.md` beside this file.
