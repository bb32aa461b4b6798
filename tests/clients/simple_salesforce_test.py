"""simple-salesforce as its users write it, against the simulated org."""

import json
import os
import unittest
from datetime import datetime, timedelta, timezone
from urllib.parse import urlsplit

import requests
from simple_salesforce import Salesforce, SalesforceLogin
from simple_salesforce.exceptions import (
    SalesforceAuthenticationFailed,
    SalesforceMalformedRequest,
    SalesforceResourceNotFound,
)

READY = json.loads(os.environ["ORGSIM_READY"])
ORG = READY["orgs"][0]
VERSION = "67.0"


class ToTheSimulator(requests.Session):
    """The library speaks https to *.salesforce.com only: whatever it calls goes to the simulator."""

    def request(self, method, url, *args, **kwargs):
        there = urlsplit(url)
        here = urlsplit(READY["instance_url"])
        url = there._replace(scheme=here.scheme, netloc=here.netloc).geturl()
        return super().request(method, url, *args, **kwargs)


def connected():
    return Salesforce(
        instance_url="https://sim.my.salesforce.com",
        session_id=ORG["access_token"],
        session=ToTheSimulator(),
        version=VERSION,
    )


class Login(unittest.TestCase):
    def test_by_soap_by_client_credentials_and_with_a_wrong_password(self):
        session, _ = SalesforceLogin(
            username=ORG["username"], password=ORG["password"], security_token="", session=ToTheSimulator()
        )
        self.assertTrue(session.startswith(ORG["org_id"][:15]))
        client = Salesforce(
            consumer_key=ORG["client_id"],
            consumer_secret=ORG["client_secret"],
            domain="sim.my",
            session=ToTheSimulator(),
            version=VERSION,
        )
        self.assertEqual(client.query("SELECT Id FROM Organization")["totalSize"], 1)
        with self.assertRaises(SalesforceAuthenticationFailed) as refused:
            SalesforceLogin(username=ORG["username"], password="wrong", security_token="", session=ToTheSimulator())
        self.assertEqual(refused.exception.code, "INVALID_LOGIN")


class Data(unittest.TestCase):
    def setUp(self):
        self.sf = connected()

    def test_rows_come_change_and_go(self):
        made = self.sf.Account.create({"Name": "simple"})
        self.assertTrue(made["success"])
        self.assertEqual(self.sf.Account.update(made["id"], {"Site": "S"}), 204)
        self.assertEqual(self.sf.Account.get(made["id"])["Site"], "S")
        self.assertEqual(self.sf.Account.delete(made["id"]), 204)
        with self.assertRaises(SalesforceResourceNotFound):
            self.sf.Account.get(made["id"])
        with self.assertRaises(SalesforceMalformedRequest) as refused:
            self.sf.Account.create({})
        self.assertEqual(refused.exception.content[0]["errorCode"], "REQUIRED_FIELD_MISSING")

    def test_upserts_by_external_id(self):
        self.assertEqual(self.sf.Contact.upsert("Tandem_Key__c/py%2F1", {"LastName": "U"}), 201)
        self.assertEqual(self.sf.Contact.upsert("Tandem_Key__c/py%2F1", {"FirstName": "F"}), 200)
        self.assertEqual(self.sf.Contact.get_by_custom_id("Tandem_Key__c", "py/1")["FirstName"], "F")

    def test_more_rows_than_a_page_and_groups(self):
        rows = [{"attributes": {"type": "Case"}, "Subject": f"py{n}", "Origin": "Web"} for n in range(2_200)]
        for start in range(0, len(rows), 200):
            body = {"allOrNone": True, "records": rows[start : start + 200]}
            answers = self.sf.restful("composite/sobjects", method="POST", json=body)
            self.assertTrue(all(answer["success"] for answer in answers))
        found = self.sf.query_all("SELECT Id, CaseNumber FROM Case WHERE Origin = 'Web'")
        self.assertEqual((found["totalSize"], len(found["records"])), (2_200, 2_200))
        self.assertEqual(len(list(self.sf.query_all_iter("SELECT Id FROM Case WHERE CreatedDate = TODAY"))), 2_200)
        groups = self.sf.query("SELECT Origin, COUNT(Id) n FROM Case GROUP BY Origin")
        self.assertEqual(groups["records"][0]["n"], 2_200)
        with self.assertRaises(SalesforceMalformedRequest):
            self.sf.query("SELECT Id FROM Case WHERE")

    def test_describes_limits_and_what_changed(self):
        fields = {field["name"]: field for field in self.sf.Contact.describe()["fields"]}
        self.assertTrue(fields["Tandem_Key__c"]["externalId"])
        self.assertIn("Lead", {sobject["name"] for sobject in self.sf.describe()["sobjects"]})
        self.assertGreater(self.sf.limits()["DailyApiRequests"]["Remaining"], 0)
        self.assertGreater(self.sf.api_usage["api-usage"].used, 0)
        made = self.sf.Account.create({"Name": "changed"})
        now = datetime.now(timezone.utc)
        changed = self.sf.Account.updated(now - timedelta(hours=1), now + timedelta(minutes=2))
        self.assertIn(made["id"], changed["ids"])
        self.sf.Account.delete(made["id"])
        gone = self.sf.Account.deleted(now - timedelta(hours=1), now + timedelta(minutes=2))
        self.assertIn(made["id"], {record["id"] for record in gone["deletedRecords"]})

    def test_bulk_jobs(self):
        rows = [{"LastName": f"bulk {n}", "Title": 'x, "y"', "Tandem_Key__c": f"py-{n}"} for n in range(300)]
        rows[5]["LastName"] = ""
        bulk = self.sf.bulk2.Contact
        jobs = bulk.insert(records=rows, batch_size=200)
        self.assertEqual([job["numberRecordsProcessed"] for job in jobs], [200, 100])
        self.assertEqual([job["numberRecordsFailed"] for job in jobs], [1, 0])
        self.assertIn("REQUIRED_FIELD_MISSING", bulk.get_failed_records(jobs[0]["job_id"]))
        self.assertEqual(len(bulk.get_successful_records(jobs[0]["job_id"]).splitlines()), 200)
        self.assertEqual(len(bulk.get_unprocessed_records(jobs[0]["job_id"]).splitlines()), 1)
        again = bulk.upsert(records=rows[10:20], external_id_field="Tandem_Key__c")
        self.assertEqual(again[0]["numberRecordsFailed"], 0)
        query = "SELECT Id FROM Contact WHERE Tandem_Key__c LIKE 'py-%'"
        pages = [page.splitlines()[1:] for page in bulk.query(query, max_records=120)]
        self.assertEqual([len(page) for page in pages], [120, 120, 59])
        ids = [{"Id": line.strip('"')} for page in pages for line in page]
        self.assertEqual(bulk.delete(records=ids)[0]["numberRecordsProcessed"], 299)


if __name__ == "__main__":
    unittest.main()
