"""`make bench`: what the framework costs, next to a bare Starlette/uvicorn server in the same run. Measures, never judges."""
