import { describe, expect, test } from "vitest";
import { checkLayer } from "../../src/config/config-file.ts";
import { resolveDatabases } from "../../src/config/databases.ts";
import { DEFAULT_RETENTION } from "../../src/config/defaults.ts";
import { flagLayer } from "../../src/config/flags.ts";
import { RETENTION_KEYS } from "../../src/config/keys.ts";
import { parseToml } from "../../src/config/toml.ts";

/** Without the check of resolveSettings that this version acts on every key. */
function resolve(toml: string) {
  const { value } = parseToml(toml, "walrust.toml");
  const locate = (path: readonly (string | number)[]) => ({ text: path.join("."), details: {} });
  const loaded = { value, locate, folder: "/data", file: "/data/walrust.toml" };
  const flags = checkLayer(flagLayer({}));
  return resolveDatabases({ loaded, file: checkLayer(loaded), flags, paths: [], cwd: "/" });
}

describe("every key of [retention]", () => {
  test.each(Object.entries(RETENTION_KEYS))("%s for all databases, and for one", async (key, { setting }) => {
    const forAll = await resolve(`[retention]\n${key} = 99\n[[databases]]\npath = "a.db"`);
    expect(forAll.databases[0]?.retention).toEqual({ ...DEFAULT_RETENTION, [setting]: 99 });
    const forOne = await resolve(`[[databases]]\npath = "a.db"\n${key} = 99\n[[databases]]\npath = "b.db"`);
    expect(forOne.databases[0]?.retention).toEqual({ ...DEFAULT_RETENTION, [setting]: 99 });
    expect(forOne.databases[1]?.retention).toEqual(DEFAULT_RETENTION);
  });

  test("all of them 0 would keep nothing", async () => {
    const zeros = Object.keys(RETENTION_KEYS).map((key) => `${key} = 0`);
    await expect(resolve(`[[databases]]\npath = "a.db"\n${zeros.join("\n")}`)).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringContaining("retention keeps nothing"),
    });
  });
});
