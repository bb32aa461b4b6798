-- fence(owner, nonce, epoch, step): nil when the caller owns the tenant, else the error to return.
-- A nil step is not compared: for scripts that change nothing which a rollback could undo.
-- FENCED: another owner's life. REWOUND: same life, but Redis does not stand where the caller left it.
local function fence(owner, nonce, epoch, step)
  local have = redis.call('HMGET', owner, 'nonce', 'epoch', 'step')
  if have[1] ~= nonce or have[2] ~= epoch then
    return redis.error_reply('FENCED the tenant is at epoch ' .. (have[2] or 'none') .. ', the caller at ' .. epoch)
  end
  if step and have[3] ~= step then
    return redis.error_reply('REWOUND the tenant is at step ' .. (have[3] or 'none') .. ', the caller at ' .. step)
  end
end
