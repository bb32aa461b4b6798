// The simulated org under test: what `orgsim` printed when it was ready.
export const ready = JSON.parse(process.env.ORGSIM_READY);
export const org = ready.orgs[0];
export const VERSION = "67.0";

export async function admin(method, path, body) {
  const answer = await fetch(`${ready.admin}/orgs/${org.name}${path}`, {
    method,
    body: body && JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`admin ${method} ${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}
