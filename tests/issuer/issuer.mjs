// An OpenID Connect issuer for tests: whoever signs in as "ada" has the groups of the table below, which
// are given to who asks for the scope of that name, as OCI IAM and Okta have it.
// POST /people?name=ada&groups=a,b gives her others; without groups she is gone.
// node issuer.mjs PORT CLIENT_ID REDIRECT_URI HOME [given|refused]
// "given": refresh tokens, each good once; "refused": it has them, and this client no right to them.
import Provider from "oidc-provider";

const [port, clientId, redirectUri, home, offline] = process.argv.slice(2);
const people = new Map([
  ["ada", ["data-science"]],
  ["grace", ["platform", "data-science"]],
  ["rosalind", ["guests"]],
  ["leo", ["data-science"]],
  ["eve", ["sales"]],
]);

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [
    {
      client_id: clientId,
      token_endpoint_auth_method: "none",
      ...(offline === "refused" ? { scope: "openid profile email groups" } : {}),
      grant_types: offline ? ["authorization_code", "refresh_token"] : ["authorization_code"],
      redirect_uris: [redirectUri],
      post_logout_redirect_uris: [home],
    },
  ],
  scopes: offline ? ["openid", "offline_access"] : ["openid"],
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["preferred_username"], groups: ["groups"] },
  findAccount: (_context, id) =>
    people.has(id)
      ? {
          accountId: id,
          claims: () => ({
            sub: id,
            email: `${id}@example.com`,
            email_verified: true,
            preferred_username: id,
            groups: people.get(id),
          }),
        }
      : undefined,
  cookies: { keys: ["only for tests"] },
  pkce: { required: () => true },
});
provider.use(async (context, next) => {
  if (context.path === "/people") {
    const { name, groups } = context.query;
    groups ? people.set(name, groups.split(",")) : people.delete(name);
    context.status = 204;
    return;
  }
  if (context.path === "/auth" && `${context.query.scope}`.includes("offline_access")) {
    // As most issuers do: they ask nobody for consent to what the company's application wants.
    context.query = { ...context.query, prompt: "consent" };
  }
  await next();
});
provider.listen(Number(port), "127.0.0.1", () => console.log("ready"));
