"""One event for every act, the outbox of jobs, and the holds that a stage must ask."""
