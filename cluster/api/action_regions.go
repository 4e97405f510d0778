package api

import "context"

func handleDescribeRegions(_ context.Context, c *Call) error {
	c.Answer.List("Regions", "Region")
	c.answerRegion(c.server.cfg.RegionID)
	for _, region := range c.server.peers.Load().Regions {
		if region != c.server.cfg.RegionID {
			c.answerRegion(region)
		}
	}
	c.Answer.EndList()
	return nil
}

func (c *Call) answerRegion(region string) {
	c.Answer.Item()
	c.Answer.Text("RegionId", region)
	c.Answer.EndItem()
}
