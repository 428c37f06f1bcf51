import { expect, test } from "vitest";
import { Stage } from "../helpers/replication/stage.ts";
import { insert } from "../helpers/sqlite/temp-database.ts";

test("smoke", async () => {
  const stage = new Stage();
  const replica = await stage.begin();
  expect(stage.files()).toEqual(["00000001-00000001.ltx"]);
  insert(stage.app, 5);
  await stage.publishAll(replica);
  await stage.commitAndPublish(replica, "UPDATE t SET body = 'y'");
  await stage.commitAndPublish(replica, "DELETE FROM t");
  expect(stage.files()).toHaveLength(4);
  await stage.expectWholeEverywhere();
});
