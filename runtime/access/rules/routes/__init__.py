"""Every route, and who may use it: MLflow 3.17.2's and Trackstack's own.

A line is a role, a scope, methods and a path template: `{name}` is one part of a path,
`{name:path}` any number of parts. `/api/` stands for `/ajax-api/` too, and GET for HEAD too.

The role: what reads is a reader's, what changes the team's records a writer's, what shows a secret,
starts a job, runs code or decides about the server an administrator's.

The scope is what the request is about, by which rights on parts of the store can be decided:
- none: facts about the server, and files of its web page;
- experiment: an experiment, or what lies in one and is named by its own id or by the experiment's
  (runs that are searched, logged models, traces, datasets, label schemas, scorers);
- run: one run, by its id;
- model: a registered model or prompt, by its name;
- path: artifacts, by their path among those that the server keeps;
- global: what belongs to the server as a whole, or may reach any part of the store.

What is not here needs an administrator, and is global: a route that a newer MLflow adds is closed
to everybody else until it is added here and to the test's own list,
tests/runtime/access/routes.txt.
"""

from runtime.access.rules.routes import genai, registry, server, services, tracking

TABLE = "".join(part.TABLE for part in (server, tracking, registry, genai, services))
