// An OpenID Connect issuer for tests: whoever signs in as "ada" has the groups of the table below, which
// are given to who asks for the scope of that name, as OCI IAM and Okta have it.
// node issuer.mjs PORT CLIENT_ID REDIRECT_URI HOME
import Provider from "oidc-provider";

const [port, clientId, redirectUri, home] = process.argv.slice(2);
const groups = { ada: ["data-science"], grace: ["platform", "data-science"], eve: ["sales"] };

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [
    {
      client_id: clientId,
      token_endpoint_auth_method: "none",
      redirect_uris: [redirectUri],
      post_logout_redirect_uris: [home],
    },
  ],
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["preferred_username"], groups: ["groups"] },
  findAccount: (_context, id) => ({
    accountId: id,
    claims: () => ({
      sub: id,
      email: `${id}@example.com`,
      email_verified: true,
      preferred_username: id,
      groups: groups[id] ?? [],
    }),
  }),
  cookies: { keys: ["only for tests"] },
  pkce: { required: () => true },
});
provider.listen(Number(port), "127.0.0.1", () => console.log("ready"));
