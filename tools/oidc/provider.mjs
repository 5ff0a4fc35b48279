// A certified OpenID provider for tests and the demo, on loopback. Type an account's sub; any password will do.
//
//   node provider.mjs PORT CONFIG.json     prints "ready http://127.0.0.1:PORT"
//
// CONFIG.json: {"clients": [client metadata as in OIDC Registration], "accounts": [{sub, email, name, groups}]}
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import Provider from 'oidc-provider';

const [port, file] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;
const { clients, accounts } = JSON.parse(readFileSync(file, 'utf8'));
const bySub = new Map(accounts.map((account) => [account.sub, account]));

const page = (title, body) => `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${title}</title></head>
<body><main><h1>${title}</h1>${body}</main></body></html>`;

const loginPage = (uid, notice = '') => page('Sign in', `<p role="alert">${notice}</p>
<form method="post" action="/interaction/${uid}">
<p><label>Account <input name="account" autocomplete="username" required autofocus></label></p>
<p><label>Password <input name="password" type="password" autocomplete="current-password"></label></p>
<p><button type="submit">Sign in</button></p></form>`);

async function findAccount(_ctx, sub) {
  const account = bySub.get(sub);
  const claims = async () => ({ email_verified: true, preferred_username: sub, groups: [], ...account });
  return account && { accountId: sub, claims };
}

// Nobody is asked for consent: the clients are the organisation's own.
async function loadExistingGrant(ctx) {
  const { client, session, provider } = ctx.oidc;
  const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
  grant.addOIDCScope([...ctx.oidc.requestParamScopes].join(' '));
  await grant.save();
  return grant;
}

const deviceFlow = {
  enabled: true,
  userCodeInputSource: (ctx, form) => {
    ctx.body = page('Enter the code', `${form}<button type="submit" form="op.deviceInputForm">Continue</button>`);
  },
  userCodeConfirmSource: (ctx, form, client, _device, code) => {
    const button = '<button type="submit" form="op.deviceConfirmForm">Continue</button>';
    ctx.body = page('Confirm the device', `<p>${client.clientId}: ${code}</p>${form}${button}`);
  },
  successSource: (ctx) => {
    ctx.body = page('Signed in', '<p>You can close this page.</p>');
  },
};

const provider = new Provider(issuer, {
  clients,
  findAccount,
  loadExistingGrant,
  scopes: ['openid', 'offline_access'],
  claims: {
    openid: ['sub'],
    email: ['email', 'email_verified'],
    profile: ['name', 'preferred_username'],
    groups: ['groups'],
  },
  conformIdTokenClaims: false, // the ID token carries the claims of the scopes
  pkce: { required: () => true },
  issueRefreshToken: async (_ctx, client) => client.grantTypeAllowed('refresh_token'),
  cookies: { keys: ['only on loopback'] },
  interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
  features: { devInteractions: { enabled: false }, deviceFlow },
  renderError: (ctx, out) => {
    ctx.type = 'html';
    ctx.body = page('Sign-in failed', `<p>${out.error}</p>`);
  },
});

async function interact(request, response) {
  const { uid } = await provider.interactionDetails(request, response);
  const sub = request.method === 'POST' ? new URLSearchParams(await text(request)).get('account') : null;
  if (bySub.has(sub)) {
    await provider.interactionFinished(request, response, { login: { accountId: sub } });
    return;
  }
  response.writeHead(sub === null ? 200 : 401, { 'content-type': 'text/html; charset=utf-8' });
  response.end(loginPage(uid, sub === null ? '' : 'There is no such account.'));
}

const answer = provider.callback();
createServer((request, response) => {
  if (!request.url.startsWith('/interaction/')) {
    answer(request, response);
    return;
  }
  interact(request, response).catch((error) => {
    response.writeHead(400, { 'content-type': 'text/plain' });
    response.end(error.message);
  });
}).listen(Number(port), '127.0.0.1', () => console.log(`ready ${issuer}`));
