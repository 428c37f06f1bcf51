import { expect, test } from "vitest";
import { hangups } from "../../src/cli/hangups.ts";

test("a SIGHUP is kept until somebody is there to reload, and is nobody's before and after", () => {
  let hangup = () => {};
  const onAsked = hangups({
    onHangup: (listener) => {
      hangup = listener;
    },
  });
  let asked = 0;
  const ask = () => {
    asked += 1;
  };
  hangup();
  hangup();
  const end = onAsked(ask);
  expect(asked, "two that came before are one wish").toBe(1);
  hangup();
  expect(asked).toBe(2);
  end();
  hangup();
  expect(asked).toBe(2);
});
