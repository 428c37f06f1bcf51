import { s3Contract } from "./s3-contract.ts";

s3Contract("aws");
s3Contract("aws", "s3://bucket/some/prefix");
s3Contract("tigris");
s3Contract("r2");
s3Contract("spaces");
